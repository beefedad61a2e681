# SPDX-License-Identifier: MIT
# Completion of `radon` for bash:  source completion/radon.bash
#
# It asks the command itself (--help), and so offers what this tree's commands take: nothing here
# needs to change with them. Where there is nothing to offer, bash completes file names.

# Words that may follow the commands $2... of the program $1, one a line: from their help on stdin.
_radon_words()
{
    local commands="${*:2}" help
    help=$(cat)
    grep -oE '^  (-[a-zA-Z], )?--?[a-zA-Z0-9][a-z0-9-]*' <<<"$help" | grep -oE -e '--?[a-zA-Z0-9-]+'
    if [[ -z $commands ]]; then
        sed -n '/^commands:/,/^$/s/^  \([a-z0-9]*\) .*/\1/p' <<<"$help"
        printf '%s\n' help --help --version
    else
        sed -n 's/^  STAGE  *of \([a-z, ]*\);.*/\1/p' <<<"$help" | tr -s ', ' '\n'
        sed -n "s|^ *\./radon $commands \([a-z0-9]*\)\( .*\)\?\$|\1|p" <<<"$help"
    fi
}

# What the option $1 takes, from the help on stdin: {a,b} or a name such as FILE; empty: nothing.
_radon_takes()
{
    sed -n "s/^  \(-[a-zA-Z], \)\?$1 \([^ ].*\)/\2/p" | sed 's/ .*//'
}

_radon()
{
    local word=${COMP_WORDS[COMP_CWORD]} last=${COMP_WORDS[COMP_CWORD - 1]} commands=() help takes i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == -- ]] && return # a command of the machine's
    done
    for ((i = 1; i < COMP_CWORD && i <= 2; i++)); do
        [[ ${COMP_WORDS[i]} == [a-z]* ]] || break
        commands+=("${COMP_WORDS[i]}")
    done
    [[ ${commands[0]} == help ]] && commands=()
    help=$(COLUMNS=1000 "${COMP_WORDS[0]}" "${commands[@]}" --help 2>/dev/null) || return
    if [[ $last == -* ]]; then
        takes=$(_radon_takes "$last" <<<"$help")
        if [[ $takes == \{* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "${takes//[\{\},]/ }" -- "$word")
        fi
        [[ -n $takes ]] && return
    fi
    mapfile -t COMPREPLY < <(compgen -W "$(_radon_words "${COMP_WORDS[0]}" "${commands[@]}" \
        <<<"$help" | sort -u)" -- "$word")
}

complete -o default -F _radon radon ./radon
