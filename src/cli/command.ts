import type { CliContext } from './context.ts'

/** A command is declared once; parser, help, completions and the page in docs/ are made from the
 *  declaration. Its code is loaded only when it runs. */

export interface Argument {
  readonly name: string
  readonly summary: string
  /** Left out by the caller it is absent. Optional ones are filled only when there are more words
   *  than required arguments. */
  readonly optional?: boolean
}

export type Flag = SwitchFlag | TextFlag | CountFlag

export interface SwitchFlag {
  readonly type: 'switch'
  readonly summary: string
}

interface TextFlag {
  readonly type: 'text'
  readonly summary: string
  /** What stands for the value in the help. */
  readonly value: string
  readonly choices?: readonly string[]
  readonly default?: string
}

interface CountFlag {
  readonly type: 'count'
  readonly summary: string
  readonly value: string
  readonly least: number
  readonly most: number
  readonly default?: number
}

export type Flags = { readonly [name: string]: Flag }

export interface Example {
  readonly line: string
  readonly does: string
}

type FlagValue<F extends Flag> = F extends SwitchFlag ? boolean : F extends CountFlag ? number : string

/** What `run` receives. Switches are always there; other flags are absent without a default. */
export interface Input<A extends readonly Argument[], F extends Flags> {
  readonly words: {
    readonly [Name in A[number] as Name['name']]: Name extends { readonly optional: true } ? string | undefined : string
  }
  readonly flags: {
    readonly [Name in keyof F]: F[Name] extends { readonly type: 'switch' } | { readonly default: unknown }
      ? FlagValue<F[Name]>
      : FlagValue<F[Name]> | undefined
  }
  /** `--json`: one JSON document on standard output, nothing else there. */
  readonly json: boolean
}

/** Ends with the exit code. A thrown `Fault` is shown by the caller. `commands` is the whole table,
 *  for commands about commands. */
export type Run<I> = (input: I, context: CliContext, commands: readonly Command[]) => Promise<ExitCode>

/** 0 done, 1 fault, 2 wrong use, 3 refused. */
export type ExitCode = 0 | 1 | 2 | 3

/** A command whose types have been forgotten, as tables of commands hold it. */
export interface Command {
  /** One word, or two: `keys create`. */
  readonly name: string
  readonly summary: string
  /** More than the summary, for the help and the page: paragraphs. */
  readonly details?: string
  readonly arguments: readonly Argument[]
  readonly flags: Flags
  readonly examples: readonly Example[]
  /** Whether `--json` is offered. */
  readonly json: boolean
  readonly load: () => Promise<{ readonly run: Run<never> }>
}

interface Declaration<A extends readonly Argument[], F extends Flags> extends Omit<
  Command,
  'load' | 'arguments' | 'flags'
> {
  readonly arguments: A
  readonly flags: F
  readonly load: () => Promise<{ readonly run: Run<Input<A, F>> }>
}

/** Checks that the code takes what the declaration gives it. */
export const command = <const A extends readonly Argument[], const F extends Flags>(
  declaration: Declaration<A, F>,
): Command => declaration
