"""One ComponentResource per stage of a release's flow, with the settings, names and IAM documents they share.

`components.package` names those that other programs may use.
"""
