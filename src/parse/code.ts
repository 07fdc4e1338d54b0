import { estimateTokens, CHUNK_TOKENS_MAX } from './chunk.ts'
import type { Block } from './document.ts'
import type { Extracted } from './extract.ts'
import { headingText } from './extract.ts'
import { definitionsOf, type Language } from './languages.ts'

/** Source code: the file itself, divided where functions, classes and their like are defined. Each
 *  definition is a heading under the path of the file and under the definitions around it, as the
 *  indentation tells; comments and decorators above it belong to it. */
export function parseCode(text: string, path: string, language: Language): Extracted {
  const blocks: Block[] = [{ kind: 'heading', start: 0, end: 0, level: 1, text: headingText(path) }]
  /** Indentation of the definitions around. */
  const around: number[] = []
  let from = 0
  for (const { at, indent, name } of definitionsOf(text, language)) {
    addCode(text, from, at, blocks)
    from = at
    while ((around.at(-1) ?? -1) >= indent) around.pop()
    const level = Math.min(LEVEL_MAX, 2 + around.length)
    around.push(indent)
    blocks.push({ kind: 'heading', start: at, end: at, level, text: headingText(name) })
  }
  addCode(text, from, text.length, blocks)
  return { title: headingText(path), text, blocks, mediaType: `text/x-${language.name}` }
}

const LEVEL_MAX = 6

/** One block, or where that is too long for a chunk, the pieces between blank lines. */
function addCode(text: string, from: number, to: number, into: Block[]): void {
  const whole = trimmed(text, from, to)
  if (whole === undefined) return
  if (estimateTokens(text, whole.start, whole.end) <= CHUNK_TOKENS_MAX) {
    into.push(whole)
    return
  }
  let { start } = whole
  for (let at = whole.start; at < whole.end;) {
    const found = text.indexOf('\n', at)
    const end = found === -1 || found > whole.end ? whole.end : found
    if (isBlank(text, at, end)) {
      const piece = trimmed(text, start, at)
      if (piece !== undefined) into.push(piece)
      start = end
    }
    at = end + 1
  }
  const last = trimmed(text, start, whole.end)
  if (last !== undefined) into.push(last)
}

function isBlank(text: string, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (text.charCodeAt(at) > 0x20) return false
  return true
}

/** Without blank lines before and white space after; the indentation of the first line stays. */
function trimmed(text: string, from: number, to: number): Block | undefined {
  let end = to
  while (end > from && text.charCodeAt(end - 1) <= 0x20) end--
  let start = from
  for (let at = from; at < end && text.charCodeAt(at) <= 0x20; at++) if (text.charCodeAt(at) === 0x0a) start = at + 1
  return end > start ? { kind: 'code', start, end } : undefined
}
