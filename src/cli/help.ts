import type { Argument, Command, Flag } from './command.ts'
import type { Style } from './style.ts'
import { pad, wrap, widthOf } from './text.ts'

/** `--help`, from the declarations. */

/** All commands, or those that begin with the word `topic`. */
export function overview(commands: readonly Command[], width: number, style: Style, topic?: string): string {
  const shown = topic === undefined ? commands : commands.filter(({ name }) => name.startsWith(`${topic} `))
  const rows = shown.map((one): Row => [usageOf(one), one.summary])
  const head =
    topic === undefined ? `${wrap('Headworks: the self-hosted AI layer of a cloud, as one program.', width)}\n\n` : ''
  const environment = topic === undefined ? `\n${style.bold('Environment')}\n${columns(ENVIRONMENT, width)}` : ''
  return `${head}${style.bold('Usage')}\n  headworks ${topic ?? '<command>'} ...\n\n${style.bold('Commands')}\n${columns(rows, width)}${environment}\n${wrap('"headworks <command> --help" says more. Exit codes: 0 done, 1 fault, 2 wrong use, 3 refused.', width)}\n`
}

export function helpFor(command: Command, width: number, style: Style): string {
  const parts = [
    `${wrap(command.summary, width)}\n`,
    `${style.bold('Usage')}\n  headworks ${usageOf(command)}${flagsOf(command).length > 0 ? ' [flags]' : ''}\n`,
  ]
  if (command.details !== undefined) parts.push(`${wrap(command.details, width)}\n`)
  if (command.arguments.length > 0)
    parts.push(
      `${style.bold('Arguments')}\n${columns(
        command.arguments.map((one): Row => [one.name, one.summary]),
        width,
      )}`,
    )
  parts.push(`${style.bold('Flags')}\n${columns([...flagsOf(command), ['--help', 'Show this.']], width)}`)
  if (command.examples.length > 0)
    parts.push(
      `${style.bold('Examples')}\n${command.examples.map(({ line, does }) => `  ${line}\n      ${style.dim(does)}\n`).join('')}`,
    )
  return parts.join('\n')
}

/** `ask [model] <question>`. */
export const usageOf = (command: Command): string => [command.name, ...command.arguments.map(argumentText)].join(' ')

const argumentText = ({ name, optional }: Argument): string => (optional === true ? `[${name}]` : `<${name}>`)

/** Flags as rows of a table: how it is written, what it does. */
export function flagsOf(command: Command): Row[] {
  const rows = Object.entries(command.flags).map(([name, flag]): Row => [
    flag.type === 'switch' ? `--${name}` : `--${name} ${flag.value}`,
    `${flag.summary}${rangeOf(flag)}`,
  ])
  if (command.json) rows.push(['--json', 'Print one JSON document instead of text.'])
  return rows
}

export type Row = readonly [left: string, right: string]

function rangeOf(flag: Flag): string {
  if (flag.type === 'switch') return ''
  const range = flag.type === 'count' ? `${flag.least} to ${flag.most}` : (flag.choices?.join(' or ') ?? '')
  const fallback = flag.default === undefined ? '' : `${flag.default} if left out`
  const notes = [range, fallback].filter((note) => note !== '').join('; ')
  return notes === '' ? '' : ` (${notes})`
}

export const ENVIRONMENT: readonly Row[] = [
  ['HEADWORKS_CONFIG', 'The configuration file; headworks.yaml in the working directory otherwise.'],
  ['HEADWORKS_DATA', 'The data folder; .headworks otherwise.'],
  ['HEADWORKS_LISTEN', 'The address of the HTTP interface; 127.0.0.1:4750 otherwise.'],
  ['HEADWORKS_ADMIN_KEY', 'The first admin key, in place of one made at the first start. At least 20 characters.'],
  [
    'HEADWORKS_CONTENT_KEY',
    'The master key of kept inputs and outputs, 64 hexadecimal digits, in place of the file content.key.',
  ],
  ['NO_COLOR', 'Set to anything: no colour.'],
]

function columns(rows: readonly Row[], width: number): string {
  const left = Math.min(30, Math.max(...rows.map(([one]) => widthOf(one))))
  const indent = ' '.repeat(left + 4)
  return rows
    .map(([one, text]) => {
      const lines = wrap(text, width, indent)
      return widthOf(one) > left ? `  ${one}\n${lines}\n` : `  ${pad(one, left)}  ${lines.slice(indent.length)}\n`
    })
    .join('')
}
