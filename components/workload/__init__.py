"""What runs: services, load balancers, alarms, dashboards."""
