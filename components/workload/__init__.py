"""The workload: ECS services, load balancers, alarms, dashboards."""
