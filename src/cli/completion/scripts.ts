/** What each shell runs when Tab is pressed: all of them ask `tenure __complete <words>`, which knows the commands. */
export const completionScripts = {
  bash: `_tenure() {
  local IFS=$'\\n'
  COMPREPLY=($(tenure __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f1))
}
complete -o bashdefault -o default -F _tenure tenure`,

  zsh: `#compdef tenure
_tenure() {
  local -a described
  local line
  for line in "\${(@f)$(tenure __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    [[ -n $line ]] && described+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done
  (( \${#described} )) && _describe tenure described || _files
}
compdef _tenure tenure`,

  fish: `function __tenure_complete
  set -l words (commandline -opc) (commandline -ct)
  tenure __complete $words[2..-1] 2>/dev/null
end
complete -c tenure -f -a '(__tenure_complete)'`,
} as const;

export type Shell = keyof typeof completionScripts;
export const shells = Object.keys(completionScripts) as [Shell, ...Shell[]];
