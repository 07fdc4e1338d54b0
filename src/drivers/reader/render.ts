/** Quotations as they stand in an answer: the words of the source, without the marks that only its
 *  own page needs. */

/** A sentence on one line. Code in backticks stays as it is; `[3]`, which would pass for a citation,
 *  becomes `(3)`. */
export function plainSentence(raw: string): string {
  const code: string[] = []
  const prose = raw
    .replace(/\s*\r?\n[ \t>]*/g, ' ')
    .replaceAll(HOLE, '')
    .replace(/(`+)[^`]+\1/g, (span) => `${HOLE}${code.push(span) - 1}${HOLE}`)
  return plainProse(prose)
    .replace(new RegExp(`${HOLE}(\\d+)${HOLE}`, 'g'), (_, number: string) => code[Number(number)] ?? '')
    .trim()
}

/** Stands in for code while the prose around it is cleaned. */
const HOLE = '\ue000'

function plainProse(prose: string): string {
  return prose
    .replace(/!\[[^\]]*\]\([^)]*\)|\[\^[^\]]+\]/g, '')
    .replace(/\[([^[\]]+)\](?:\([^()]*(?:\([^()]*\)[^()]*)?\)|\[[^\]]*\])/g, '$1')
    .replace(/<((?:https?|mailto):[^<>]+)>/g, '$1')
    .replace(/<\/?[a-z][^<>]{0,200}>/gi, '')
    .replace(/(\*\*|__)(?=\S)/g, '')
    .replace(/(?<=\S)(\*\*|__)/g, '')
    .replace(/(?<![\w*\\])[*_](?=\S)([^*_]+)(?<=[^\s\\])[*_](?![\w*])/g, '$1')
    .replace(/\\([\\`*_{}[\]()#+\-.!|<>])/g, '$1')
    .replace(/\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]/g, '($1)')
}

/** A cell of more words than this says something by itself; the others are values. */
const VALUE_WORDS_MAX = 3
const CELLS_WHOLE_MAX = 3

/** `timeout (default: 5 s; what it does: how long to wait)`: the first cell, then the others with
 *  their columns' names. Of a wide table, only the cells that say something. */
export function plainRow(row: string, columns: string | undefined): string {
  const [first = '', ...cells] = cellsOf(row)
  const names = columns === undefined ? [] : cellsOf(columns).slice(1)
  const isWide = cells.length >= CELLS_WHOLE_MAX && cells.some(isTelling)
  const rest = cells.flatMap((cell, at) =>
    cell === '' || (isWide && !isTelling(cell)) ? [] : [names[at] ? `${names[at]}: ${cell}` : cell],
  )
  return rest.length === 0 ? first : `${first} (${rest.map((cell) => cell.replace(/\.$/, '')).join('; ')})`
}

const isTelling = (cell: string): boolean => cell.split(/\s+/).length > VALUE_WORDS_MAX || /\d/.test(cell)

function cellsOf(row: string): string[] {
  return row
    .trim()
    .replace(/^\||(?<!\\)\|$/g, '')
    .split(/(?<!\\)\|/)
    .map((cell) => plainSentence(cell.replaceAll('\\|', '|')))
}

/** Ends like a sentence, so that what follows can be read on. */
export const ended = (sentence: string): string =>
  /[.!?…:;。！？]["'”’)\]]*$/.test(sentence) ? sentence : `${sentence}.`

/** Code in fences that nothing inside it can close, without the indentation that its page gave it. */
export function fenced(raw: string): string {
  const lines = raw.split(/\r?\n/)
  const fence = /^[ \t>]*(`{3,}|~{3,})[ \t]*([\w+#.-]*)/.exec(lines[0] ?? '')
  const body =
    fence === null ? lines : lines.slice(1, /^[ \t>]*(?:`{3,}|~{3,})[ \t]*$/.test(lines.at(-1) ?? '') ? -1 : undefined)
  const indent = Math.min(
    ...body.filter((line) => line.trim() !== '').map((line) => line.length - line.trimStart().length),
  )
  const code = body.map((line) => line.slice(Number.isFinite(indent) ? indent : 0)).join('\n')
  const longest = Math.max(2, ...[...code.matchAll(/`+/g)].map(([ticks]) => ticks.length))
  const ticks = '`'.repeat(longest + 1)
  return `${ticks}${fence?.[2] ?? ''}\n${code}\n${ticks}`
}
