"""What a project and its machine have: where things are, settings, pins, tools, what hubs gave."""
