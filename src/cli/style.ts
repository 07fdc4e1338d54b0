import type { Environment } from '../config/load.ts'
import type { Output } from './context.ts'

/** Colour and weight, or nothing of the sort: not where the output is no terminal, nor where
 *  NO_COLOR (no-color.org) is set. */
export interface Style {
  bold(text: string): string
  dim(text: string): string
  good(text: string): string
  warning(text: string): string
  bad(text: string): string
}

const plain = (text: string): string => text
const PLAIN: Style = { bold: plain, dim: plain, good: plain, warning: plain, bad: plain }

const code =
  (on: number, off: number) =>
  (text: string): string =>
    text === '' ? '' : `\x1b[${on}m${text}\x1b[${off}m`
const COLOURED: Style = {
  bold: code(1, 22),
  dim: code(2, 22),
  good: code(32, 39),
  warning: code(33, 39),
  bad: code(31, 39),
}

export function styleFor(output: Output, env: Environment): Style {
  const colour = output.isTerminal && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
  return colour ? COLOURED : PLAIN
}

/** Columns to write in: the terminal's, within reason; 100 where there is none. */
export const widthFor = (output: Output): number =>
  output.isTerminal ? Math.max(40, Math.min(output.columns, 100)) : 100
