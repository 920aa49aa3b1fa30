# Where the scripts beside this one keep the tools that they install, for all clones of this user.
readonly TOOLS=${XDG_CACHE_HOME:-${HOME:-$PWD/target}/.cache}/wsbench-tools
