#!/bin/sh
# The first stage of a release, and the last one CI has any part in: build the images of one service,
# push them, and put the metadata that says which images the release is made of. Everything after the
# put belongs to the pipeline. See docs/ci.md for the wiring, the permissions and the exit codes.
#
# One file of any length on purpose: a CI fetches this file and nothing else of the project.
#
# Needs a POSIX shell and utilities, the AWS CLI (1.19 or later, or 2) and docker with buildx 0.22 or later.
# Calls these and no others, which is all that CI's role allows:
#   aws sts get-caller-identity      needs no permission
#   aws ecr get-login-password       ecr:GetAuthorizationToken
#   aws ecr batch-get-image          ecr:BatchGetImage
#   aws s3api put-object             s3:PutObject, once, as the very last step
#   docker login | logout | buildx version | buildx inspect | buildx create | buildx rm
#   docker buildx build              pushes each platform by digest, without a tag
#   docker buildx imagetools create  gives the tag to the index of those digests
#   docker buildx imagetools inspect only for an existing image that is no index
set -eu
set -f
LC_ALL=C
AWS_PAGER=
export LC_ALL AWS_PAGER
umask 077
NL='
'
TAB=$(printf '\t')
IFS=$NL

usage() {
  cat <<'HELP'
Usage: handoff.sh --env ENV --service SERVICE --account ID --region REGION --commit HASH
                  --image NAME=CONTEXT[:DOCKERFILE[:TARGET]] [--image ...] --platform PLATFORM [...]

Builds and pushes the images of one service as ENV-HASH and hands them over for release.

  --env ENV             environment: dev, dev1, stg, prod ...              HANDOFF_ENV
  --service SERVICE     the service the images belong to                   HANDOFF_SERVICE
  --account ID          the twelve digits of the environment's account     HANDOFF_ACCOUNT
  --region REGION       region of registry and hand-off bucket             HANDOFF_REGION, AWS_REGION,
                                                                           AWS_DEFAULT_REGION
  --commit HASH         7 to 64 lower-case hexadecimal digits              HANDOFF_COMMIT
  --image SPEC          one per container, repeatable                      HANDOFF_IMAGES (one a line)
                          app=.                        ./Dockerfile
                          app=./app:Dockerfile.prod    a Dockerfile relative to the context
                          web=.:Dockerfile:web         one target of a Dockerfile with several
                          web=.::web                   the same, with the Dockerfile's usual name
  --platform PLATFORM   linux/amd64, linux/arm64; repeatable, or a list    HANDOFF_PLATFORMS
                        with commas
  --build-arg [NAME:]KEY=VALUE
                        for every image, or only container NAME's          HANDOFF_BUILD_ARGS (one a line)
  --secret SPEC         a buildx secret (id=npm,env=NPM_TOKEN), for what   HANDOFF_SECRETS (one a line)
                        must not be in a build argument
  --expect-digest NAME=sha256:DIGEST
                        hand over only if NAME's tag holds this image      HANDOFF_EXPECT_DIGESTS
                        already; it is never built                         (one a line)
  --builder BUILDER     the buildx builder to use; otherwise the current   HANDOFF_BUILDER
                        one, or one made for this run if that has the
                        "docker" driver, which can neither push by digest
                        nor keep a cache
  --any-identity        hand over with whatever credentials there are, as  HANDOFF_ANY_IDENTITY=yes
                        a person does; otherwise only as one of the
                        service's own roles, ENV-SERVICE-ci-...
  --result FILE         append the outcome to FILE as key=value lines      HANDOFF_RESULT
  --dry-run             say what would be done, call nothing               HANDOFF_DRY_RUN=yes
  --help                this text

A flag wins over its variable. Exit codes:
   0  handed over (or the dry run is printed)
   2  invalid arguments                   8  the build failed
   3  a tool is missing or too old        9  the tag holds another image than asked
   4  no credentials, or expired ones    10  the push failed
   5  not permitted                      11  the registry does not hold what was pushed
   6  AWS or the registry not reachable  12  the hand-off was not put
   7  the registry refused the login     13  AWS failed in another way
  129, 130, 143  interrupted (HUP, INT, TERM)
Nothing is put unless every image is in the registry; running it again is always safe.
HELP
}

# --- failing ---------------------------------------------------------------------------------------

EXIT_USAGE=2 EXIT_TOOL=3 EXIT_CREDENTIALS=4 EXIT_DENIED=5 EXIT_NETWORK=6 EXIT_LOGIN=7 EXIT_BUILD=8
EXIT_TAG=9 EXIT_PUSH=10 EXIT_VERIFY=11 EXIT_PUT=12 EXIT_AWS=13

exec 3>&2 # sentences go here; some calls below silence what the shell itself adds to standard error

fail() { # CODE SENTENCE
  printf 'handoff: %s\n' "$2" >&3
  exit "$1"
}

wrong() { # SENTENCE
  fail "$EXIT_USAGE" "$1; see handoff.sh --help."
}

one_line() { # FILE: its text on one line, at most 400 characters
  tr -s '[:space:]' ' ' <"$1" | sed -e 's/^ //' -e 's/ $//' -e 's/\.$//' | cut -c 1-400
}

# Both the AWS CLI and docker say only in prose why they failed; these words are botocore's, ECR's and
# containerd's own.
cause_code() { # SENTENCE FALLBACK-CODE
  case $1 in
    *"Unable to locate credentials"* | *ExpiredToken* | *InvalidClientTokenId* | *UnrecognizedClient* | \
      *InvalidAccessKeyId* | *SignatureDoesNotMatch* | *InvalidSignatureException* | *"token has expired"* | \
      *InvalidIdentityToken* | *"no basic auth credentials"* | *"401 Unauthorized"*)
      echo "$EXIT_CREDENTIALS" ;;
    *AccessDenied* | *"Access Denied"* | *"not authorized"* | *"403 Forbidden"* | *"denied:"*)
      echo "$EXIT_DENIED" ;;
    *"Could not connect to the endpoint"* | *"onnect timeout"* | *"ead timeout"* | \
      *"Connection was closed"* | *"Failed to connect to proxy"* | *"dial tcp"* | *"no such host"* | \
      *"i/o timeout"* | *"connection refused"* | *"TLS handshake timeout"* | *"connection reset"*)
      echo "$EXIT_NETWORK" ;;
    *) echo "$2" ;;
  esac
}

advice() { # CODE
  case $1 in
    "$EXIT_CREDENTIALS") echo "give CI fresh credentials of its role for this environment and run it again" ;;
    "$EXIT_DENIED") echo "check that CI assumed this service's own role in account $account" ;;
    "$EXIT_NETWORK") echo "check the network and --region, then run it again" ;;
    *) echo "run it again once this is fixed" ;;
  esac
}

call_failed() { # DOING STDERR-FILE FALLBACK-CODE
  cause=$(one_line "$2")
  code=$(cause_code "$cause" "$3")
  outcome="nothing was put"
  [ -z "$putting" ] || [ "$code" != "$EXIT_NETWORK" ] || outcome="whether it was put is not known"
  fail "$code" "$1 failed and $outcome (${cause:-no message was given}): $(advice "$code")."
}

# --- arguments -------------------------------------------------------------------------------------

environment=${HANDOFF_ENV-}
service=${HANDOFF_SERVICE-}
account=${HANDOFF_ACCOUNT-}
region=${HANDOFF_REGION:-${AWS_REGION:-${AWS_DEFAULT_REGION-}}}
commit=${HANDOFF_COMMIT-}
builder=${HANDOFF_BUILDER-}
result=${HANDOFF_RESULT-}
dry_run=${HANDOFF_DRY_RUN-}
any_identity=${HANDOFF_ANY_IDENTITY-}
images='' platforms='' build_args='' secrets='' expected=''

while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage; exit 0 ;;
    --dry-run) dry_run=yes; shift; continue ;;
    --any-identity) any_identity=yes; shift; continue ;;
    --*=*) option=${1%%=*} value=${1#*=}; shift ;;
    --*)
      [ $# -ge 2 ] || wrong "$1 is not an option, or its value is missing"
      option=$1 value=$2; shift 2 ;;
    *) wrong "'$1' is not an option; every argument is one" ;;
  esac
  case $value in
    *"$NL"*) wrong "$option has a value of several lines, which no option takes" ;;
    '') wrong "$option has an empty value" ;;
  esac
  case $option in
    --env) environment=$value ;;
    --service) service=$value ;;
    --account) account=$value ;;
    --region) region=$value ;;
    --commit) commit=$value ;;
    --image) images=$images$value$NL ;;
    --platform) platforms=$platforms$value$NL ;;
    --build-arg) build_args=$build_args$value$NL ;;
    --secret) secrets=$secrets$value$NL ;;
    --expect-digest) expected=$expected$value$NL ;;
    --builder) builder=$value ;;
    --result) result=$value ;;
    *) wrong "$option is not an option" ;;
  esac
done

lines() { # TEXT: its lines without leading and trailing blanks, empty ones left out
  printf '%s\n' "$1" | sed -e 's/^[[:blank:]]*//' -e 's/[[:blank:]]*$//' -e '/^$/d'
}

images=$(lines "${images:-${HANDOFF_IMAGES-}}")
build_args=$(lines "${build_args:-${HANDOFF_BUILD_ARGS-}}")
secrets=$(lines "${secrets:-${HANDOFF_SECRETS-}}")
expected=$(lines "${expected:-${HANDOFF_EXPECT_DIGESTS-}}")
# Sorted, so that the order of the flags changes neither the index nor its digest.
platforms=$(lines "$(printf '%s\n' "${platforms:-${HANDOFF_PLATFORMS-}}" | sed "s/[,[:blank:]]/\\$NL/g")" | sort -u)

matches() { # VALUE ERE: the whole value, which is one line
  case $1 in *"$NL"*) return 1 ;; esac
  printf '%s\n' "$1" | grep -Eqx "$2"
}

required() { # OPTION VARIABLE VALUE ERE ALLOWED
  [ -n "$3" ] || wrong "$1 is missing: give the option or set $2"
  matches "$3" "$4" || wrong "$1 is '$3', but must be $5"
}

word='[a-z0-9]+([_-][a-z0-9]+)*' # what both an ECR repository path and an ECS container name take
required --env HANDOFF_ENV "$environment" '[a-z][a-z0-9]*(-[a-z0-9]+)*' \
  "lower-case letters, digits and hyphens, such as dev1"
required --service HANDOFF_SERVICE "$service" "$word" "lower-case letters, digits, hyphens and underscores"
required --account HANDOFF_ACCOUNT "$account" '[0-9]{12}' "twelve digits"
# The regions of the AWS partition aws, as contract/regions.py has them (a test compares).
regions="af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2 \
  ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 \
  ap-southeast-7 ca-central-1 ca-west-1 eu-central-1 eu-central-2 eu-north-1 eu-south-1 eu-south-2 \
  eu-west-1 eu-west-2 eu-west-3 il-central-1 me-central-1 me-south-1 me-west-1 mx-central-1 sa-east-1 \
  sa-west-1 us-east-1 us-east-2 us-west-1 us-west-2"
required --region HANDOFF_REGION "$region" '[a-z0-9-]+' "a region of the AWS partition aws, such as ap-northeast-1"
case " $regions " in
  *" $region "*) ;;
  *) wrong "--region is '$region', but must be a region of the AWS partition aws, such as ap-northeast-1" ;;
esac
required --commit HANDOFF_COMMIT "$commit" '[0-9a-f]{7,64}' "a commit hash of 7 to 64 lower-case hexadecimal digits"
is_yes() { # VARIABLE VALUE
  case $2 in
    yes | true) return 0 ;;
    no | false | '') return 1 ;;
    *) wrong "$1 is '$2', but must be yes or no" ;;
  esac
}
if is_yes HANDOFF_DRY_RUN "$dry_run"; then dry_run=yes; else dry_run=''; fi
if is_yes HANDOFF_ANY_IDENTITY "$any_identity"; then any_identity=yes; else any_identity=''; fi

[ -n "$platforms" ] || wrong "--platform is missing: give linux/arm64, linux/amd64 or both"
for platform in $platforms; do
  case $platform in
    linux/amd64 | linux/arm64) ;;
    *) wrong "--platform is '$platform', but must be linux/amd64 or linux/arm64" ;;
  esac
done

split_image() { # SPEC: sets name, context, dockerfile, target
  name=${1%%=*}
  context=${1#*=}
  dockerfile='' target=''
  case $context in
    *:*) dockerfile=${context#*:} context=${context%%:*} ;;
  esac
  case $dockerfile in
    *:*) target=${dockerfile#*:} dockerfile=${dockerfile%%:*} ;;
  esac
  dockerfile=${dockerfile:-Dockerfile}
  case $dockerfile in
    /*) ;;
    *) dockerfile=$context/$dockerfile ;;
  esac
}

has_line() { # LINES LINE
  printf '%s\n' "$1" | grep -Fqx -e "$2"
}

[ -n "$images" ] || wrong "--image is missing: give one NAME=CONTEXT for each container"
names=
for spec in $images; do
  case $spec in *=*) ;; *) wrong "--image is '$spec', but must be NAME=CONTEXT[:DOCKERFILE[:TARGET]]" ;; esac
  split_image "$spec"
  matches "$name" "$word" ||
    wrong "--image names the container '$name', but a name has lower-case letters, digits, hyphens and underscores"
  [ "$name" != cache ] || wrong "--image names a container 'cache', but that repository holds the build cache"
  [ -d "$context" ] || wrong "--image $name has the build context '$context', which is not a directory"
  [ -f "$dockerfile" ] || wrong "--image $name has the Dockerfile '$dockerfile', which does not exist"
  case $target in *[!A-Za-z0-9_.-]*) wrong "--image $name has the target '$target', which is no stage's name" ;; esac
  ! has_line "$names" "$name" || wrong "--image names the container '$name' twice"
  names=$names$name$NL
done

for argument in $build_args; do
  key=${argument%%=*}
  case $argument in *=*) ;; *) wrong "--build-arg '$key' has no '=VALUE'" ;; esac
  case $key in *:*)
    has_line "$names" "${key%%:*}" || wrong "--build-arg '$key' is for container '${key%%:*}', which no --image names"
    key=${key#*:} ;;
  esac
  matches "$key" '[A-Za-z_][A-Za-z0-9_]*' || wrong "--build-arg has the key '$key', which is no argument's name"
done

for expectation in $expected; do
  matches "$expectation" "$word=sha256:[0-9a-f]{64}" ||
    wrong "--expect-digest is '$expectation', but must be NAME=sha256: and 64 hexadecimal digits"
  has_line "$names" "${expectation%%=*}" ||
    wrong "--expect-digest is for container '${expectation%%=*}', which no --image names"
done

tag=$environment-$commit
registry=$account.dkr.ecr.$region.amazonaws.com
bucket=$environment-ecsdef-$account
key=$service/imagedefinitions.json.zip
handoff=s3://$bucket/$key
watch="https://$region.console.aws.amazon.com/codesuite/codepipeline/pipelines/$environment-$service/view?region=$region"
[ ${#bucket} -le 63 ] || wrong "--env is '$environment', which makes the bucket's name $bucket longer than 63 characters"

image_uri() { echo "$registry/$environment/$service/$1:$tag"; }
cache_ref() { echo "$registry/$environment/$service/cache:$1-${2#linux/}"; } # NAME PLATFORM

build_args_of() ( # NAME: the KEY=VALUE of each build argument that is meant for it
  for argument in $build_args; do
    case ${argument%%=*} in
      "$1":*) printf '%s\n' "${argument#*:}" ;;
      *:*) ;;
      *) printf '%s\n' "$argument" ;;
    esac
  done
)

expected_digest() ( # NAME
  for expectation in $expected; do
    [ "${expectation%%=*}" != "$1" ] || echo "${expectation#*=}"
  done
)

definitions() ( # the hand-off's one member; names and URIs hold nothing that JSON escapes
  separator='[' # sorted, so that the same images always give the same bytes
  for container in $(printf '%s' "$names" | sort); do
    printf '%s\n  {"name": "%s", "imageUri": "%s"}' "$separator" "$container" "$(image_uri "$container")"
    separator=,
  done
  printf '\n]\n'
)

# --- the dry run -----------------------------------------------------------------------------------

if [ "$dry_run" = yes ]; then
  echo "Dry run: nothing is built, pushed or put."
  for spec in $images; do
    split_image "$spec"
    echo "build  $(image_uri "$name")"
    printf '         from %s, %s\n' "$context" "$dockerfile${target:+, target $target}"
    for platform in $platforms; do echo "         for $platform, cache $(cache_ref "$name" "$platform")"; done
    for argument in $(build_args_of "$name"); do echo "         with build argument ${argument%%=*}"; done
    digest=$(expected_digest "$name")
    [ -z "$digest" ] || echo "         only if its tag holds $digest already"
  done
  echo "put    $handoff"
  definitions | sed 's/^/         /'
  echo "watch  $watch"
  exit 0
fi

# --- what is cleaned up, whatever happens ----------------------------------------------------------

work='' child='' logged_in='' own_builder='' step='setting up' putting=''
cleanup() {
  if [ -n "$child" ]; then
    kill -s TERM "$child" 2>/dev/null || :
    wait "$child" 2>/dev/null || : # or it writes into what is removed below
  fi
  [ -z "$logged_in" ] || docker logout "$registry" >/dev/null 2>&1 || :
  [ -z "$own_builder" ] || docker buildx rm --force "$own_builder" >/dev/null 2>&1 || :
  [ -z "$work" ] || rm -rf "$work"
}
interrupted() { # SIGNAL CODE
  trap '' HUP INT TERM
  [ -z "$putting" ] ||
    fail "$2" "interrupted by $1 while $step, which may have started the release: look at $watch or run it again."
  fail "$2" "interrupted by $1 while $step, before anything was put: run it again, what was pushed is reused."
}
trap cleanup EXIT
trap 'interrupted SIGHUP 129' HUP
trap 'interrupted SIGINT 130' INT
trap 'interrupted SIGTERM 143' TERM

if [ -n "$result" ]; then
  { printf '' >>"$result"; } 2>/dev/null || wrong "--result is '$result', which cannot be written"
fi

for tool in aws docker; do
  command -v "$tool" >/dev/null 2>&1 || fail "$EXIT_TOOL" "$tool is not on PATH: install it in the CI image."
done

# In containers process numbers repeat, and their temporary directory and docker's daemon may be shared.
unique=$$-$(od -A n -N 4 -t x4 /dev/urandom 2>/dev/null | tr -d '[:space:]')
scratch=${TMPDIR:-/tmp}/handoff.$unique
mkdir "$scratch" 2>/dev/null ||
  fail "$EXIT_TOOL" "$scratch cannot be made: set TMPDIR to a directory that can be written."
work=$scratch

# The login goes into a configuration of this run alone. Earlier settings and logins (to a mirror of base
# images) are carried over, but not the credential stores: docker would write the new login there, and it
# skips keys that it does not know. With no login at all it looks for a store by itself, hence the empty one,
# and the logout.
docker_home=${DOCKER_CONFIG:-${HOME-}/.docker}
case $docker_home in /*) ;; *) docker_home=$PWD/$docker_home ;; esac
if [ -z "${BUILDX_CONFIG-}" ] && [ -d "$docker_home/buildx" ]; then
  BUILDX_CONFIG=$docker_home/buildx # builders made before this script are still found
  export BUILDX_CONFIG
fi
DOCKER_CONFIG=$work/docker
export DOCKER_CONFIG
mkdir "$DOCKER_CONFIG"
printf '{}\n' >"$work/config"
[ ! -f "$docker_home/config.json" ] || cat "$docker_home/config.json" >"$work/config"
empty="\"auths\": {\"$registry\": {}}"
case $(tr -d '[:space:]' <"$work/config") in
  '{}' | '') printf '{%s}\n' "$empty" >"$work/config" ;;
  *'"auths"'*) ;;
  *) sed "1s/{/{$empty, /" "$work/config" >"$work/config.new" && cat "$work/config.new" >"$work/config" ;;
esac
sed -e 's/"credsStore"/"unusedCredsStore"/' -e 's/"credHelpers"/"unusedCredHelpers"/' \
  -e "s/\"auths\"[[:space:]]*:[[:space:]]*{[[:space:]]*}/$empty/" "$work/config" >"$DOCKER_CONFIG/config.json"
for shared in cli-plugins contexts; do
  [ ! -d "$docker_home/$shared" ] || ln -s "$docker_home/$shared" "$DOCKER_CONFIG/$shared"
done

docker buildx version >"$work/buildx" 2>/dev/null ||
  fail "$EXIT_TOOL" "docker has no buildx plugin: install docker-buildx in the CI image."

# --- reading JSON ----------------------------------------------------------------------------------

# There is no jq on every CI. Prints "path<TAB>value" for each scalar, a path being keys and positions
# joined by "/"; with a path as argument, that scalar alone and unescaped. Fails on what is not JSON.
json() { # [PATH] <JSON
  awk -v want="${1-}" '
    function broken() { exit 1 }
    function blanks() { while (index(" \t\r\n", substr(text, at, 1)) && at <= length(text)) at++ }
    function string(   out, c) {
      at++
      while ((c = substr(text, at, 1)) != "\"") {
        if (c == "") broken()
        if (c == "\\") {
          c = substr(text, ++at, 1)
          if (c == "u") { c = "?"; at += 4 } # in nothing that is read here
          else if (c in escape) c = escape[c]
        }
        out = out c
        at++
      }
      at++
      return out
    }
    function emit(path, scalar) {
      if (want == "") { gsub(/[\t\n]/, " ", scalar); print path "\t" scalar }
      else if (path == want) printf "%s", scalar
    }
    function value(path,   c, key, n, close_with) {
      blanks()
      c = substr(text, at, 1)
      if (c == "{" || c == "[") {
        close_with = c == "{" ? "}" : "]"
        at++
        blanks()
        if (substr(text, at, 1) == close_with) { at++; return }
        for (n = 0; ; n++) {
          key = n
          blanks()
          if (close_with == "}") {
            if (substr(text, at, 1) != "\"") broken()
            key = string()
            blanks()
            if (substr(text, at++, 1) != ":") broken()
          }
          value(path == "" ? key : path "/" key)
          blanks()
          c = substr(text, at++, 1)
          if (c == close_with) return
          if (c != ",") broken()
        }
      } else if (c == "\"") {
        emit(path, string())
      } else if (match(substr(text, at), /^[-+.a-zA-Z0-9]+/)) {
        emit(path, substr(text, at, RLENGTH))
        at += RLENGTH
      } else broken()
    }
    BEGIN {
      escape["n"] = "\n"; escape["t"] = "\t"; escape["r"] = "\r"; escape["b"] = "\b"; escape["f"] = "\f"
      at = 1
    }
    { text = text $0 "\n" }
    END { value(""); blanks(); if (at <= length(text)) broken() }
  '
}

# --- calling AWS -----------------------------------------------------------------------------------

# Its complaint goes to $work/error. Callers redirect standard error once more: shells report there what is
# ended by a signal ("Terminated"), and the trap says it better.
aws_quietly() { aws "$@" 2>"$work/error" 3>&-; }

# --- what the registry holds -----------------------------------------------------------------------

# Sets digest to what the tag holds, or to nothing; writes "platform<TAB>manifest digest" lines to
# $work/held. Attestations are in an index as platform unknown/unknown and are no image to run.
look_up() { # NAME
  digest=
  : >"$work/held"
  if ! { aws_quietly ecr batch-get-image --region "$region" --registry-id "$account" \
    --repository-name "$environment/$service/$1" --image-ids "imageTag=$tag" --accepted-media-types \
    application/vnd.oci.image.index.v1+json application/vnd.docker.distribution.manifest.list.v2+json \
    application/vnd.oci.image.manifest.v1+json application/vnd.docker.distribution.manifest.v2+json \
    --output json >"$work/answer"; } 2>/dev/null; then
    call_failed "looking up $(image_uri "$1")" "$work/error" "$EXIT_AWS"
  fi
  json failures/0/failureCode <"$work/answer" >"$work/failure" ||
    fail "$EXIT_AWS" "looking up $(image_uri "$1") gave an answer that is not JSON and nothing was put: check the AWS CLI."
  failure=$(cat "$work/failure")
  [ "$failure" != ImageNotFound ] || return 0
  digest=$(json images/0/imageId/imageDigest <"$work/answer")
  [ -n "$digest" ] ||
    fail "$EXIT_AWS" "looking up $(image_uri "$1") found no image (${failure:-no failure code}) and nothing was put: ask who runs the registry."
  json images/0/imageManifest <"$work/answer" >"$work/manifest"
  json <"$work/manifest" >"$work/manifest.lines" ||
    fail "$EXIT_TAG" "$(image_uri "$1") holds a manifest that is not JSON and nothing was put: commit again for a new tag."
  awk -F "$TAB" '
    { split($1, part, "/") }
    $1 ~ /^manifests\/[0-9]+\/digest$/ { digest[part[2]] = $2; if (part[2] >= count) count = part[2] + 1 }
    $1 ~ /^manifests\/[0-9]+\/platform\/os$/ { os[part[2]] = $2 }
    $1 ~ /^manifests\/[0-9]+\/platform\/architecture$/ { architecture[part[2]] = $2 }
    END {
      for (i = 0; i < count; i++)
        if (os[i] != "unknown" && os[i] != "") print os[i] "/" architecture[i] "\t" digest[i]
    }
  ' "$work/manifest.lines" >"$work/held"
  [ -s "$work/held" ] || look_into_single "$1"
}

# A single manifest names no platform (its configuration does), as pushed by a plain docker push.
look_into_single() { # NAME
  docker buildx imagetools inspect --format '{{json .Image}}' "$registry/$environment/$service/$1@$digest" \
    >"$work/config" 2>"$work/error" </dev/null ||
    call_failed "reading the platform of $(image_uri "$1")" "$work/error" "$EXIT_AWS"
  system=$(json os <"$work/config") || system=
  architecture=$(json architecture <"$work/config") || architecture=
  printf '%s/%s\t%s\n' "${system:-unknown}" "${architecture:-unknown}" "$digest" >"$work/held"
}

held_platforms() { cut -f 1 "$work/held" | paste -s -d ',' - | sed 's/,/, /g'; }

check_existing() { # NAME: refuses an image that is not what was asked for
  wanted=$(expected_digest "$1")
  if [ -n "$wanted" ] && [ "$wanted" != "$digest" ]; then
    fail "$EXIT_TAG" "$(image_uri "$1") holds ${digest:-no image}, but --expect-digest asks for $wanted, and nothing was put: hand over the commit that it belongs to."
  fi
  [ -n "$digest" ] || return 0
  for platform in $platforms; do
    cut -f 1 "$work/held" | grep -Fqx "$platform" ||
      fail "$EXIT_TAG" "$(image_uri "$1") exists for $(held_platforms) without $platform, and nothing was put: a tag is never overwritten, so commit again for a new one."
  done
}

# --- building --------------------------------------------------------------------------------------

# docker runs beside the shell, so that a signal to the shell alone is acted on at once. Its output goes
# on to standard output and is kept for its last error line.
run_docker() { # ARGUMENT...: docker's exit code
  rm -f "$work/pipe"
  mkfifo "$work/pipe"
  tee "$work/log" <"$work/pipe" 3>&- &
  listener=$!
  docker "$@" >"$work/pipe" 2>&1 </dev/null 3>&- &
  child=$!
  status=0
  { wait "$child" || status=$?; } 2>/dev/null
  child=
  wait "$listener" || :
  return "$status"
}

build_failed() { # NAME PLATFORM
  grep -E '^ERROR: ' "$work/log" | tail -n 1 >"$work/error" || :
  case $(cat "$work/error") in
    *"failed to push"* | *"failed to authorize"*)
      call_failed "pushing $(image_uri "$1") for $2" "$work/error" "$EXIT_PUSH" ;;
  esac
  fail "$EXIT_BUILD" "building $1 for $2 failed and nothing was put: fix what docker reports above and run it again."
}

build() { # SPEC: pushes the image and gives it its tag
  split_image "$1"
  repository=$registry/$environment/$service/$name
  : >"$work/built"
  for platform in $platforms; do
    step="building $name for $platform"
    echo "handoff: $step"
    set -- buildx build --progress plain --platform "$platform" --file "$dockerfile" \
      --provenance=false --sbom=false --metadata-file "$work/metadata" \
      --cache-from "type=registry,ref=$(cache_ref "$name" "$platform")" \
      --cache-to "type=registry,ref=$(cache_ref "$name" "$platform"),mode=max,image-manifest=true,oci-mediatypes=true,ignore-error=true" \
      --output "type=image,name=$repository,push-by-digest=true,name-canonical=true,push=true"
    [ -z "$use_builder" ] || set -- "$@" --builder "$use_builder"
    [ -z "$target" ] || set -- "$@" --target "$target"
    for argument in $(build_args_of "$name"); do set -- "$@" --build-arg "$argument"; done
    for secret in $secrets; do set -- "$@" --secret "$secret"; done
    rm -f "$work/metadata"
    run_docker "$@" "$context" || build_failed "$name" "$platform"
    pushed=$(json containerimage.digest <"$work/metadata" 2>/dev/null) || pushed=
    matches "$pushed" 'sha256:[0-9a-f]{64}' ||
      fail "$EXIT_VERIFY" "docker did not say which digest of $name it pushed for $platform and nothing was put: update buildx and run it again."
    printf '%s\t%s\n' "$platform" "$pushed" >>"$work/built"
  done

  step="tagging $name"
  set -- buildx imagetools create --tag "$repository:$tag"
  digests=$(cut -f 2 "$work/built")
  for pushed in $digests; do set -- "$@" "$repository@$pushed"; done
  if ! run_docker "$@"; then
    tail -n 1 "$work/log" >"$work/error"
    call_failed "pushing $(image_uri "$name")" "$work/error" "$EXIT_PUSH"
  fi

  look_up "$name"
  sort "$work/held" >"$work/held.sorted"
  sort "$work/built" | cmp -s - "$work/held.sorted" ||
    fail "$EXIT_VERIFY" "$(image_uri "$name") holds ${digest:-no image}, which is not what was built, and nothing was put: another run may have pushed it first, so run it again to hand over that one."
}

# --- the archive -----------------------------------------------------------------------------------

# A stored zip with one member and a fixed date, byte for byte the same wherever it is made: no zip
# program is needed and none can add a field of its own. APPNOTE.TXT 4.3 gives the layout.

crc32() ( # FILE: the decimal CRC-32 (zip's; POSIX cksum computes another one)
  IFS=" $NL"
  crc=4294967295
  for byte in $(od -A n -v -t u1 "$1"); do
    crc=$((crc ^ byte))
    for _ in 1 2 3 4 5 6 7 8; do crc=$(((crc >> 1) ^ (3988292384 & -(crc & 1)))); done
  done
  echo "$((crc ^ 4294967295))"
)

# A shell that computes with 32 bits (mksh) would write an archive that nothing can read.
printf 123456789 >"$work/sample"
[ "$(crc32 "$work/sample")" = 3421780262 ] ||
  fail "$EXIT_TOOL" "this shell cannot compute with 64 bits and nothing was built: run handoff.sh with dash, bash or BusyBox."

little_endian() ( # WIDTH NUMBER ...: each number in that many bytes
  width=$1
  shift
  for number in "$@"; do
    left=$width
    while [ "$left" -gt 0 ]; do
      printf '%b' "\\0$(printf '%o' $((number & 255)))"
      number=$((number >> 8)) left=$((left - 1))
    done
  done
)

zip_one() ( # FILE MEMBER-NAME: the archive on standard output
  size=$(($(wc -c <"$1")))
  crc=$(crc32 "$1")
  common() { # version needed 1.0, no flags, stored, 1980-01-01 00:00:00, sums and sizes, no extra field
    little_endian 2 10 0 0 0 33
    little_endian 4 "$crc" "$size" "$size"
    little_endian 2 "${#2}" 0
  }
  printf 'PK\003\004'
  common "$@"
  printf '%s' "$2"
  cat "$1"
  printf 'PK\001\002'
  little_endian 2 788 # made by 2.0 on Unix, so that the mode below is read: a plain file, 0644
  common "$@"
  little_endian 2 0 0 0
  little_endian 4 2175008768 0
  printf '%s' "$2"
  printf 'PK\005\006'
  little_endian 2 0 0 1 1
  little_endian 4 $((46 + ${#2})) $((30 + ${#2} + size))
  little_endian 2 0
)

# --- who hands over --------------------------------------------------------------------------------

# Whatever credentials the machine has besides (keys of a user, a profile, an instance's role) may win over the
# role that CI meant to assume, and would push and put just as well.
if [ -z "$any_identity" ]; then
  step="asking AWS whose credentials these are"
  { identity=$(aws_quietly sts get-caller-identity --region "$region" --query Arn --output text) ||
    call_failed "$step" "$work/error" "$EXIT_AWS"
  } 2>/dev/null
  # Without a hyphen at the end: those of the service api-ci are not of the service api.
  matches "$identity" "arn:aws[a-z-]*:sts::$account:assumed-role/$environment-$service-ci-[a-z0-9]+/[^/]+" ||
    fail "$EXIT_DENIED" "the credentials are those of $identity, not of a role $environment-$service-ci-... in account $account, and nothing was built: take other keys and profiles out of this job, or give --any-identity to hand over as a person."
fi

# --- the hand-off ----------------------------------------------------------------------------------

step="logging in to $registry"
echo "handoff: $step"
# The password goes from one program to the other, in no variable and no argument; docker keeps it in the
# configuration above.
logged_in=yes
{
  { aws_quietly ecr get-login-password --region "$region" || echo failed >"$work/no-password"; } |
    docker login --username AWS --password-stdin "$registry" >"$work/log" 2>&1 || echo failed >"$work/no-login"
} 2>/dev/null
[ ! -f "$work/no-password" ] || call_failed "asking ECR for a login password" "$work/error" "$EXIT_AWS"
if [ -f "$work/no-login" ]; then
  call_failed "logging in to $registry" "$work/log" "$EXIT_LOGIN"
fi

step="looking up what exists"
missing=
for spec in $images; do
  split_image "$spec"
  look_up "$name"
  check_existing "$name"
  if [ -n "$digest" ]; then
    echo "handoff: $(image_uri "$name") exists and is reused ($digest)"
    printf '%s\t%s\n' "$name" "$digest" >>"$work/digests"
  else
    missing=$missing$spec$NL
  fi
done

# Before 0.22, imagetools create gave the tag to each platform's manifest first, so that an immutable
# repository refused the index and kept a tag that holds half an image (github.com/docker/buildx/issues/1660).
too_old=$(awk '{ sub(/^v/, "", $2); split($2, part, "."); if ($2 ~ /^0\.[0-9]/ && part[2] + 0 < 22) print $2 }' "$work/buildx")
[ -z "$missing" ] || [ -z "$too_old" ] ||
  fail "$EXIT_TOOL" "docker has buildx $too_old, which cannot push to immutable tags, and nothing was built: install 0.22 or later in the CI image."

use_builder=$builder
if [ -n "$missing" ] && [ -z "$builder" ]; then
  driver=$(docker buildx inspect 2>/dev/null </dev/null | sed -n 's/^Driver:[[:blank:]]*//p')
  if [ -z "$driver" ] || [ "$driver" = docker ]; then
    step="making a builder"
    own_builder=handoff-$unique
    docker buildx create --driver docker-container --name "$own_builder" >"$work/log" 2>&1 </dev/null ||
      fail "$EXIT_TOOL" "docker cannot make a builder ($(one_line "$work/log")) and nothing was put: give one by --builder."
    use_builder=$own_builder
  fi
fi

for spec in $missing; do
  build "$spec"
  echo "handoff: $(image_uri "$name") is pushed ($digest)"
  printf '%s\t%s\n' "$name" "$digest" >>"$work/digests"
done

step="putting $handoff"
definitions >"$work/imagedefinitions.json"
zip_one "$work/imagedefinitions.json" imagedefinitions.json >"$work/imagedefinitions.json.zip"
putting=yes
{ version=$(aws_quietly s3api put-object --region "$region" --bucket "$bucket" --key "$key" \
  --body "$work/imagedefinitions.json.zip" --content-type application/zip --expected-bucket-owner "$account" \
  --query VersionId --output text) || call_failed "putting $handoff" "$work/error" "$EXIT_PUT"
} 2>/dev/null
case $version in
  '' | None | null) fail "$EXIT_PUT" "$handoff was put but has no version, so no release starts: turn on the bucket's versioning and run it again." ;;
esac

echo "Handed over $tag of $service:"
sort "$work/digests" | sed -e "s/$TAB/ /" -e 's/^/  image    /'
echo "  put      $handoff"
echo "  version  $version"
echo "  watch    $watch"
if [ -n "$result" ]; then
  printf '%s\n' "image-tag=$tag" "hand-off=$handoff" "version-id=$version" "watch=$watch" >>"$result"
fi
