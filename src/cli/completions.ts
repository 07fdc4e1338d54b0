import type { Argument, Command, Flag, Input, Run } from './command.ts'
import { Declined, report } from './declined.ts'
import { firstWords } from './parse.ts'

type ShellInput = Input<readonly [Argument & { name: 'shell' }], Record<never, never>>

export const run: Run<ShellInput> = async ({ words }, context, commands) => {
  const script = SHELLS[words.shell]
  if (script === undefined) {
    return report(
      context,
      new Declined('wrong_use', `"${words.shell}" is none of the shells: ${Object.keys(SHELLS).join(', ')}.`, 2),
      false,
    )
  }
  context.stdout.write(script(commands))
  return 0
}

const SHELLS: { readonly [shell: string]: (commands: readonly Command[]) => string } = { bash, zsh, fish }

/** The second words of a first one: `create list revoke` of `keys`. */
const secondWords = (commands: readonly Command[], first: string): string[] =>
  commands.flatMap(({ name }) => (name.startsWith(`${first} `) ? [name.slice(first.length + 1)] : []))

const flagNames = (command: Command): string[] =>
  [...Object.keys(command.flags), ...(command.json ? ['json'] : []), 'help'].map((name) => `--${name}`)

/** Choices of a flag's value, by the flag as written. */
const choicesOf = (command: Command): [flag: string, choices: readonly string[]][] =>
  Object.entries(command.flags).flatMap(([name, flag]) =>
    flag.type === 'text' && flag.choices !== undefined ? [[`--${name}`, flag.choices]] : [],
  )

/** Words for an argument: paths are left to the shell. */
const argumentChoices = (command: Command): readonly string[] =>
  command.arguments.some(({ name }) => name === 'shell') ? Object.keys(SHELLS) : []
const takesPath = (command: Command): boolean => command.arguments.some(({ name }) => name === 'path')

function bash(commands: readonly Command[]): string {
  const groups = firstWords(commands).filter((word) => secondWords(commands, word).length > 0)
  const cases = commands.map((command) => {
    const values = choicesOf(command).map(
      ([flag, choices]) => `      [[ $previous == ${flag} ]] && words="${choices.join(' ')}"\n`,
    )
    const files = takesPath(command) ? '      files=1\n' : ''
    return `    "${command.name}")\n      words="${[...argumentChoices(command), ...flagNames(command)].join(' ')}"\n${values.join('')}${files}      ;;\n`
  })
  return `# Completions of headworks for bash: source <(headworks completions bash)
_headworks() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"
  local command="\${COMP_WORDS[1]}" words="" files=""
  if (( COMP_CWORD == 1 )); then
    COMPREPLY=($(compgen -W "${firstWords(commands).join(' ')}" -- "$current"))
    return
  fi
  case "$command" in
${groups.map((word) => `    ${word})\n      if (( COMP_CWORD == 2 )); then\n        COMPREPLY=($(compgen -W "${secondWords(commands, word).join(' ')}" -- "$current"))\n        return\n      fi\n      command="$command \${COMP_WORDS[2]}"\n      ;;\n`).join('')}  esac
  case "$command" in
${cases.join('')}  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  [[ -n $files && $current != -* ]] && COMPREPLY+=($(compgen -f -- "$current"))
}
complete -F _headworks headworks
`
}

const quoted = (text: string): string => `'${text.replace(/'/g, "'\\''")}'`

function zsh(commands: readonly Command[]): string {
  const described = (name: string, summary: string): string => quoted(`${name}:${summary.replace(/:/g, '\\:')}`)
  const groups = firstWords(commands)
  const summaryOf = (word: string): string =>
    commands.find(({ name }) => name === word)?.summary ?? secondWords(commands, word).join(', ')
  const flagsFor = (command: Command): string =>
    [
      ...Object.entries(command.flags).map(([name, flag]) => zshFlag(name, flag)),
      ...(command.json ? [quoted('--json[print JSON]')] : []),
      quoted('--help[show help]'),
    ].join(' ')
  const rest = (command: Command): string =>
    takesPath(command)
      ? " '*:file:_files'"
      : argumentChoices(command).length > 0
        ? ` ${quoted(`*:word:(${argumentChoices(command).join(' ')})`)}`
        : ''
  const cases = commands.map(
    (command) => `    ${quoted(command.name)})\n      _arguments ${flagsFor(command)}${rest(command)}\n      ;;\n`,
  )
  return `#compdef headworks
# Completions of headworks for zsh: headworks completions zsh > a folder of $fpath, as _headworks
_headworks() {
  local command="\${words[2]}"
  if (( CURRENT == 2 )); then
    local -a first=(${groups.map((word) => described(word, summaryOf(word))).join(' ')})
    _describe 'command' first
    return
  fi
  case "$command" in
${groups
  .filter((word) => secondWords(commands, word).length > 0)
  .map(
    (word) =>
      `    ${word})\n      if (( CURRENT == 3 )); then\n        local -a second=(${secondWords(commands, word).join(' ')})\n        _describe 'command' second\n        return\n      fi\n      command="$command \${words[3]}"\n      ;;\n`,
  )
  .join('')}  esac
  case "$command" in
${cases.join('')}  esac
}
if [[ "\${funcstack[1]}" == _headworks ]]; then _headworks "$@"; else compdef _headworks headworks; fi
`
}

function zshFlag(name: string, flag: Flag): string {
  const summary = flag.summary.replace(/[[\]:]/g, ' ')
  if (flag.type === 'switch') return quoted(`--${name}[${summary}]`)
  const values = flag.type === 'text' && flag.choices !== undefined ? `(${flag.choices.join(' ')})` : ' '
  return quoted(`--${name}[${summary}]:${flag.value}:${values}`)
}

function fish(commands: readonly Command[]): string {
  const lines = ['# Completions of headworks for fish', 'complete -c headworks -f']
  const line = (condition: string, more: string): void =>
    void lines.push(`complete -c headworks -n ${quoted(condition)} ${more}`)
  for (const word of firstWords(commands)) {
    const inner = secondWords(commands, word)
    const summary = commands.find(({ name }) => name === word)?.summary ?? inner.join(', ')
    line('__fish_use_subcommand', `-a ${word} -d ${quoted(summary)}`)
    for (const second of inner) {
      line(
        `__fish_seen_subcommand_from ${word}; and not __fish_seen_subcommand_from ${inner.join(' ')}`,
        `-a ${second} -d ${quoted(commands.find(({ name }) => name === `${word} ${second}`)?.summary ?? '')}`,
      )
    }
  }
  for (const command of commands) {
    const condition = command.name
      .split(' ')
      .map((word) => `__fish_seen_subcommand_from ${word}`)
      .join('; and ')
    for (const [name, flag] of Object.entries(command.flags)) {
      const values =
        flag.type === 'switch'
          ? ''
          : flag.type === 'text' && flag.choices !== undefined
            ? ` -x -a ${quoted(flag.choices.join(' '))}`
            : ' -x'
      line(condition, `-l ${name}${values} -d ${quoted(flag.summary)}`)
    }
    if (command.json) line(condition, `-l json -d 'Print JSON'`)
    if (argumentChoices(command).length > 0) line(condition, `-a ${quoted(argumentChoices(command).join(' '))}`)
    if (takesPath(command)) line(condition, '-F')
  }
  return `${lines.join('\n')}\n`
}
