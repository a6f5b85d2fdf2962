"""Resources that the other stages are built on: network, cluster, buckets, functions, topics."""
