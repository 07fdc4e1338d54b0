import { nearest } from '../base/nearest.ts'
import type { Command, Flag } from './command.ts'

/** What the words of the command line ask for. */
export type Parsed =
  | { readonly kind: 'run'; readonly command: Command; readonly input: ParsedInput }
  /** `topic` is a command, the first word of several (`keys`), or absent: all of them. */
  | { readonly kind: 'help'; readonly topic?: string }
  | { readonly kind: 'version' }
  | { readonly kind: 'wrong'; readonly message: string; readonly topic?: string }

export interface ParsedInput {
  readonly words: { readonly [name: string]: string }
  readonly flags: { readonly [name: string]: string | number | boolean }
  readonly json: boolean
}

export function parse(commands: readonly Command[], words: readonly string[]): Parsed {
  const [first, second] = words
  if (first === undefined || first === '--help' || first === '-h') return { kind: 'help' }
  if (first === 'help') return helpOn(commands, words.slice(1))
  if (first === '--version' || first === '-v') return { kind: 'version' }
  const double = commands.find(({ name }) => name === `${first} ${second}`)
  if (double !== undefined) return parseFor(double, words.slice(2))
  const single = commands.find(({ name }) => name === first)
  if (single !== undefined) return parseFor(single, words.slice(1))
  const group = commands.filter(({ name }) => name.startsWith(`${first} `))
  if (group.length > 0) return withinGroup(first, second, group)
  if (first.startsWith('-')) return wrong(`"${first}" comes before any command.`)
  return wrong(`There is no command "${first}".${suggestion(first, firstWords(commands))}`)
}

function helpOn(commands: readonly Command[], words: readonly string[]): Parsed {
  if (words.length === 0) return { kind: 'help' }
  const topic = words.join(' ')
  if (commands.some(({ name }) => name === topic || name.startsWith(`${topic} `))) return { kind: 'help', topic }
  return wrong(
    `There is no command "${topic}".${suggestion(
      topic,
      commands.map(({ name }) => name),
    )}`,
  )
}

function withinGroup(first: string, second: string | undefined, group: readonly Command[]): Parsed {
  const choices = group.map(({ name }) => name.slice(first.length + 1))
  if (second === '--help' || second === '-h') return { kind: 'help', topic: first }
  if (second === undefined) return wrong(`"${first}" needs one of: ${choices.join(', ')}.`, first)
  return wrong(
    `There is no command "${first} ${second}".${suggestion(second, choices)} Choose from: ${choices.join(', ')}.`,
    first,
  )
}

export const firstWords = (commands: readonly Command[]): string[] => [
  ...new Set(commands.map(({ name }) => name.split(' ')[0] ?? '')),
]

const wrong = (message: string, topic?: string): Parsed => ({
  kind: 'wrong',
  message,
  ...(topic === undefined ? {} : { topic }),
})
const suggestion = (word: string, known: readonly string[]): string => {
  const near = nearest(word, known)
  return near === undefined ? '' : ` Did you mean "${near}"?`
}

function parseFor(command: Command, rest: readonly string[]): Parsed {
  const values: string[] = []
  const flags: { [name: string]: string | number | boolean } = {}
  const given = new Set<string>()
  let json = false
  for (let at = 0; at < rest.length; at++) {
    const word = rest[at] ?? ''
    if (word === '--') {
      values.push(...rest.slice(at + 1))
      break
    }
    if (word === '--help' || word === '-h') return { kind: 'help', topic: command.name }
    if (!word.startsWith('-') || word === '-') {
      values.push(word)
      continue
    }
    const [name, attached] = splitFlag(word)
    if (name === 'json' && command.json && attached === undefined) {
      json = true
      continue
    }
    const flag = Object.hasOwn(command.flags, name) ? command.flags[name] : undefined
    if (flag === undefined) return wrong(unknownFlag(command, word, name), command.name)
    if (given.has(name)) return wrong(`--${name} is given twice.`, command.name)
    given.add(name)
    const value = flag.type === 'switch' ? attached : (attached ?? rest[++at])
    const read = readFlag(name, flag, value)
    if ('message' in read) return wrong(read.message, command.name)
    flags[name] = read.value
  }
  const taken = fill(command, values)
  return typeof taken === 'string'
    ? wrong(taken, command.name)
    : { kind: 'run', command, input: { words: taken, flags: { ...defaultsOf(command), ...flags }, json } }
}

function splitFlag(word: string): [name: string, attached: string | undefined] {
  const equals = word.indexOf('=')
  const name = word.slice(word.startsWith('--') ? 2 : 1, equals < 0 ? undefined : equals)
  return [name, equals < 0 ? undefined : word.slice(equals + 1)]
}

function unknownFlag(command: Command, word: string, name: string): string {
  const known = [...Object.keys(command.flags), ...(command.json ? ['json'] : []), 'help']
  const near = nearest(name, known)
  const note = /^-\d/.test(word) || known.length === 1 ? ' After "--" words are taken as they are.' : ''
  return `"${command.name}" has no ${word.split('=')[0] ?? word}.${near === undefined ? ` It takes ${known.map((one) => `--${one}`).join(', ')}.` : ` Did you mean "--${near}"?`}${note}`
}

function readFlag(
  name: string,
  flag: Flag,
  value: string | undefined,
): { value: string | number | boolean } | { message: string } {
  if (flag.type === 'switch') return value === undefined ? { value: true } : { message: `--${name} takes no value.` }
  if (value === undefined) return { message: `--${name} needs a value: ${flag.value}.` }
  if (flag.type === 'count') {
    const count = Number(value)
    const fits = /^\d+$/.test(value) && count >= flag.least && count <= flag.most
    return fits
      ? { value: count }
      : { message: `--${name} is a whole number from ${flag.least} to ${flag.most}, not "${value}".` }
  }
  if (flag.choices !== undefined && !flag.choices.includes(value)) {
    return {
      message: `--${name} is one of ${flag.choices.join(', ')}, not "${value}".${suggestion(value, flag.choices)}`,
    }
  }
  return { value }
}

/** Words to arguments: required ones always, optional ones as far as there are words left. */
function fill(command: Command, values: readonly string[]): { [name: string]: string } | string {
  const required = command.arguments.filter(({ optional }) => optional !== true)
  if (values.length < required.length) {
    const missing = required[values.length]
    return `"${command.name}" needs ${required.map(({ name }) => `<${name}>`).join(' ')}${missing === undefined ? '' : `; ${missing.name} is missing`}.`
  }
  if (values.length > command.arguments.length) {
    const extra = values[command.arguments.length] ?? ''
    return `"${command.name}" takes ${command.arguments.length === 0 ? 'no words' : `at most ${command.arguments.length}`}; "${extra}" is too many.${command.arguments.length === 0 ? '' : ' Put a text of several words in quotes.'}`
  }
  const taken: { [name: string]: string } = {}
  let spare = values.length - required.length
  let at = 0
  for (const { name, optional } of command.arguments) {
    if (optional === true && spare-- <= 0) continue
    taken[name] = values[at++] ?? ''
  }
  return taken
}

function defaultsOf(command: Command): { [name: string]: string | number | boolean } {
  const defaults: { [name: string]: string | number | boolean } = {}
  for (const [name, flag] of Object.entries(command.flags)) {
    if (flag.type === 'switch') defaults[name] = false
    else if (flag.default !== undefined) defaults[name] = flag.default
  }
  return defaults
}
