"""What crosses a boundary between the rooms of the project, once. Standard library only."""
