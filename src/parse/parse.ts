import { posix } from 'node:path'
import { reasonOf, Refusal, refuse } from '../base/errors.ts'
import type { ParsedDocument } from './document.ts'
import { parseArchive } from './archive.ts'
import { parseCode } from './code.ts'
import { parseCsv } from './csv.ts'
import { parseEmail } from './email.ts'
import { type Extracted, headingText } from './extract.ts'
import { Hidden } from './hidden.ts'
import { parseHtml } from './html.ts'
import { parseJson, parseJsonLines } from './json.ts'
import { languageOf } from './languages.ts'
import { ATTACHMENT_DEPTH_MAX, FILE_BYTES_MAX, TEXT_UNITS_MAX, tooLong, unreadable, type Deadline } from './limits.ts'
import { parseMarkdown } from './markdown.ts'
import { parsePdf } from './pdf.ts'
import { shownMarkdown } from './shown.ts'
import { extensionOf, MEDIA_TYPES, sniffBytes, sniffText, type Format } from './sniff.ts'
import { decode, parseText } from './text.ts'

/** Reads one file of any kind we know. `path` ends with its name and extension, which is a hint at
 *  most; source code is known by all of it. What cannot be read is refused with a code
 *  `document_*`; this does not throw. */
export async function parse(path: string, bytes: Uint8Array, deadline: Deadline): Promise<ParsedDocument | Refusal> {
  const read = await readAt(0, path, bytes, deadline)
  if (read instanceof Refusal) return read
  const { title, text, mediaType, blocks, notes = [], hidden } = read
  const note = [...notes, hidden?.note() ?? ''].filter((sentence) => sentence !== '').join(' ')
  return { title, text, mediaType, blocks, ...(note !== '' && { note }) }
}

type Read = Extracted & Pick<ParsedDocument, 'title' | 'mediaType'>

/** `depth`: how many documents it is attached to. */
async function readAt(depth: number, path: string, bytes: Uint8Array, deadline: Deadline): Promise<Read | Refusal> {
  if (bytes.length > FILE_BYTES_MAX) return refuse('document_too_large', { limitBytes: FILE_BYTES_MAX, detail: '' })
  if (bytes.length === 0) return refuse('document_empty', { detail: ': the file has no bytes' })
  if (depth > ATTACHMENT_DEPTH_MAX) return unreadable(`it is attached more than ${ATTACHMENT_DEPTH_MAX} documents deep`)
  const name = posix.basename(path)
  try {
    const kind = sniffBytes(bytes, name)
    if (kind instanceof Refusal) return kind
    if (kind === 'pdf') return finish('pdf', await parsePdf(bytes, deadline), name)
    if (kind === 'email') {
      const attached = (inner: string, content: Uint8Array) => readAt(depth + 1, inner, content, deadline)
      return finish('email', await parseEmail(bytes, deadline, attached), name)
    }
    if (kind === 'zip') {
      const archive = parseArchive(bytes, deadline)
      return archive instanceof Refusal ? archive : finish(archive.format, archive.extracted, name)
    }
    return parseCharacters(bytes, path, name, deadline)
  } catch (error) {
    // A parser's own surprise at what it was given is a fact about the file.
    return unreadable(reasonOf(error).slice(0, 200))
  }
}

function parseCharacters(bytes: Uint8Array, path: string, name: string, deadline: Deadline): Read | Refusal {
  const text = decode(bytes)
  if (text instanceof Refusal) return text
  if (text.length > TEXT_UNITS_MAX) return tooLong()
  const format = sniffText(text, name)
  switch (format) {
    case 'html':
      return finish(format, parseHtml(text, deadline), name)
    case 'csv':
      return finish(format, parseCsv(text, deadline), name)
    case 'tsv':
      return finish(format, parseCsv(text, deadline, '\t'), name)
    case 'jsonl':
      return finish(format, parseJsonLines(text, deadline), name)
    case 'json':
      return finish(format, parseJsonOrLines(text, deadline), name)
    default:
      return parsePlain(text, format, path, name)
  }
}

/** Formats whose text is the file itself, but for what cannot be seen of it. */
function parsePlain(source: string, format: 'markdown' | 'text', path: string, name: string): Read | Refusal {
  const hidden = new Hidden()
  const visible = hidden.visible(source)
  const language = format === 'text' ? languageOf(name, extensionOf(name), visible) : undefined
  if (language !== undefined) return finish('code', { ...parseCode(visible, path, language), hidden }, name)
  const text = format === 'markdown' ? shownMarkdown(visible, hidden) : visible
  const parsed = format === 'markdown' ? parseMarkdown(text) : { blocks: parseText(text) }
  return finish(format, { text, ...parsed, hidden }, name)
}

/** Files of lines are often named like files of one value. */
function parseJsonOrLines(text: string, deadline: Deadline): Extracted | Refusal {
  const whole = parseJson(text, deadline)
  if (!(whole instanceof Refusal) || whole.code !== 'document_unreadable') return whole
  if (!/^\s*[[{][^\n]*[\]}][^\S\n]*\r?\n\s*[[{]/.test(text.slice(0, 65_536))) return whole
  const lines = parseJsonLines(text, deadline)
  return lines instanceof Refusal ? whole : lines
}

function finish(format: Format, extracted: Extracted | Refusal, name: string): Read | Refusal {
  if (extracted instanceof Refusal) return extracted
  if (!extracted.blocks.some((block) => block.end > block.start)) return refuse('document_empty', { detail: '' })
  const title = extracted.title ?? headingText(name.replace(/(?<=.)\.[^.]*$/, ''))
  return { mediaType: MEDIA_TYPES[format], ...extracted, title }
}
