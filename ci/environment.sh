#!/bin/sh
# Which environment a git ref is released to, written once for every CI: branch dev, dev1, dev2 ... to the
# environment of that name, branch stg to stg, a semantic-version tag to prod, anything else to none.
set -eu
set -f
LC_ALL=C
export LC_ALL

usage() {
  cat <<'HELP'
Usage: environment.sh --accounts "dev*=ID stg=ID prod=ID" REF

Prints "environment=NAME" and "account=ID" for a full git ref (refs/heads/dev, refs/tags/v1.2.3), two
lines that a shell can eval and that $GITHUB_OUTPUT takes as they are.

  REF                   refs/heads/BRANCH or refs/tags/TAG
  --accounts ENTRIES    NAME=ACCOUNT, separated by blanks; a NAME ending in "*" stands for every
                        environment that starts so, and the first entry that fits is taken

  branch dev, dev1, dev2 ...                       the environment of that name
  branch stg                                       stg
  tag v1.2.3, pre-releases (v1.2.3-rc.1) not       prod
  anything else                                    none: exit code 3, nothing printed

Exit codes: 0 released to an environment, 2 invalid arguments, 3 this ref is not released.
HELP
}

wrong() {
  printf 'environment: %s; see environment.sh --help.\n' "$1" >&2
  exit 2
}

accounts='' ref=''
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage; exit 0 ;;
    --accounts) [ $# -ge 2 ] || wrong "--accounts needs a value"; accounts=$2; shift 2 ;;
    --accounts=*) accounts=${1#*=}; shift ;;
    -*) wrong "'$1' is not an option" ;;
    *) [ -z "$ref" ] || wrong "'$1' is a second ref, but one is allowed"; ref=$1; shift ;;
  esac
done
[ -n "$ref" ] || wrong "the ref is missing"
[ -n "$accounts" ] || wrong "--accounts is missing"

matches() { # VALUE ERE
  printf '%s\n' "$1" | grep -Eqx "$2"
}

environment=
number='(0|[1-9][0-9]*)'
case $ref in
  *[!A-Za-z0-9._/+@#=-]*) ;; # no name of this table holds anything else, line breaks least of all
  refs/heads/*) ! matches "${ref#refs/heads/}" 'dev([1-9][0-9]*)?|stg' || environment=${ref#refs/heads/} ;;
  refs/tags/*) ! matches "${ref#refs/tags/}" "v$number\.$number\.$number" || environment=prod ;;
  *) wrong "the ref is '$ref', but must start with refs/heads/ or refs/tags/" ;;
esac
if [ -z "$environment" ]; then
  printf 'environment: %s is not released: only branches dev, dev1 ..., stg and tags such as v1.2.3 are.\n' "$ref" >&2
  exit 3
fi

account=
for entry in $accounts; do
  name=${entry%%=*} id=${entry#*=}
  matches "$entry" '[a-z][a-z0-9-]*[*]?=[0-9]{12}' ||
    wrong "--accounts has '$entry', but an entry is NAME=ACCOUNT with twelve digits"
  [ -z "$account" ] || continue
  case $name in
    *\*) case $environment in "${name%\*}"*) account=$id ;; esac ;;
    "$environment") account=$id ;;
  esac
done
[ -n "$account" ] || wrong "--accounts has no account for environment '$environment'"
printf 'environment=%s\naccount=%s\n' "$environment" "$account"
