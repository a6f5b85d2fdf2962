"""What everything else stands on: network, cluster, buckets, functions, topics."""
