import { kindOf, remedyOf, sentenceOf, type ErrorKind, type Problem } from '../base/errors.ts'
import { isObject, type Json } from '../base/json.ts'
import type { ExitCode } from './command.ts'
import type { CliContext } from './context.ts'
import { styleFor, widthFor } from './style.ts'
import { printable, wrap } from './text.ts'

/** Why a command did not do what was asked: a value on its way to the user. */
export class Declined {
  readonly code: string
  /** What happened and what to do. */
  readonly message: string
  readonly exit: ExitCode

  constructor(code: string, message: string, exit: ExitCode) {
    this.code = code
    this.message = message
    this.exit = exit
  }
}

/** 3 where asking again changes nothing, 1 where something failed or is not there. */
const EXITS: Record<ErrorKind, ExitCode> = { caller: 3, auth: 3, absent: 3, quota: 3, busy: 1, engine: 1, fault: 1 }

export const declinedBy = (problem: Problem): Declined =>
  new Declined(problem.code, `${sentenceOf(problem)}\n${remedyOf(problem)}`.trim(), EXITS[kindOf(problem)])

/** The `error` of an answer's or a stream's body. */
export function declinedWith(error: Json | undefined, status: number): Declined {
  const fields = isObject(error) ? error : {}
  const message =
    typeof fields['message'] === 'string' ? fields['message'] : `Headworks answered with status ${status}.`
  const code = typeof fields['code'] === 'string' ? fields['code'] : 'internal'
  return new Declined(code, message, status >= 500 ? 1 : 3)
}

/** Tells the user, on standard error; with `json` as a document on standard output. */
export function report(context: CliContext, declined: Declined, json: boolean): ExitCode {
  if (json) printJson(context, { error: { code: declined.code, message: declined.message } })
  const [first = '', ...rest] = printable(declined.message).split('\n')
  const width = widthFor(context.stderr)
  const text = [
    wrap(first, width),
    ...rest.map((line) => wrap(line.trim(), width, line.slice(0, line.length - line.trimStart().length))),
  ].join('\n')
  context.stderr.write(`${styleFor(context.stderr, context.env).bad('✗')} ${text}\n`)
  return declined.exit
}

export function printJson(context: CliContext, value: Json): void {
  context.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
}
