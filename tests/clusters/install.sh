#!/bin/sh
# Installs SLURM where this is Debian's kind of system and we may; says so where not.
set -eu
command -v slurmctld >/dev/null && command -v munged >/dev/null && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "SLURM IS NOT TESTED: installing slurm-wlm and munge needs root and apt-get" >&2
    exit 0
fi
apt-get update -qq
# RUNLEVEL: the packages' own daemons stay off; the tests start theirs.
RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends slurm-wlm munge
