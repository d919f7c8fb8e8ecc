"""What the owner of the tables does, and the service must not be able to do: grant rights, create and drop partitions."""
