"""PostgreSQL's analysed query trees."""
