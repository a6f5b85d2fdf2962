"""Deployment strategies as a release meets them, one module each; a module is found by being in this folder.

A module gives one object, `STRATEGY`, of the protocol `rehearsal.emulator.strategy.Strategy`. Its `name` is the
strategy's name in `release.json`. It has two parts:

- What is known before anything runs: its `--fail-at` steps and to which services they can happen; how a released
  revision gets its traffic and its hooks.
- `set_up(stage)` gives a `rehearsal.emulator.deployer.Deployer`, which carries out the deployments of one rehearsal and
  says afterwards what is live, what was left half done, what else has to hold and of what people must have been told.

A deployer that emulates more of AWS registers it with the stage: `stage.account.stub_handlers` answers an API in moto's
place, `stage.account.after` follows a call that moto has answered, `stage.bus.send` delivers events, and its `actions`
carry out actions of a pipeline that CodePipeline's emulator does not know. A strategy that is much like another one
takes that one's classes as its bases.
"""
