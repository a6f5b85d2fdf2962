"""What components, functions, policies and the emulator have to agree on. Standard library only."""
