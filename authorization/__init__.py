"""AWS's Service Authorization Reference as data, and the check of policy documents against it.

`reference` reads the data file, `check` holds documents against it, `callers` lists what a call asks of its caller on
other services, `corrections` what the reference leaves out. `refresh` regenerates the data file (`make authorization`).
Nothing here imports another part of the project, so that components, policy packs and the rehearsal may all use it.
"""
