import { reasonOf, Refusal, refuse } from '../../base/errors.ts'
import type { ParsedDocument } from '../document.ts'
import { parseDocx } from './docx.ts'
import { headingText } from './extract.ts'
import { parseHtml, type Extracted } from './html.ts'
import { FILE_BYTES_MAX, TEXT_UNITS_MAX, tooLong, unreadable, type Deadline } from './limits.ts'
import { parseMarkdown } from './markdown.ts'
import { parsePdf } from './pdf.ts'
import { MEDIA_TYPES, sniffBytes, sniffText, type Format } from './sniff.ts'
import { decode, parseText } from './text.ts'

/** Reads one file of any kind we know. `name` is its name with extension, which is a hint at most.
 *  What cannot be read is refused with a code `document_*`; this does not throw. */
export async function parse(name: string, bytes: Uint8Array, deadline: Deadline): Promise<ParsedDocument | Refusal> {
  if (bytes.length > FILE_BYTES_MAX) return refuse('document_too_large', { limitBytes: FILE_BYTES_MAX, detail: '' })
  if (bytes.length === 0) return refuse('document_empty', { detail: ': the file has no bytes' })
  try {
    const kind = sniffBytes(bytes, name)
    if (kind instanceof Refusal) return kind
    if (kind === 'pdf') return finish('pdf', await parsePdf(bytes, deadline), name)
    if (kind === 'zip') return finish('docx', parseDocx(bytes, deadline), name)
    return parseCharacters(bytes, name, deadline)
  } catch (error) {
    // A parser's own surprise at what it was given is a fact about the file.
    return unreadable(reasonOf(error).slice(0, 200))
  }
}

function parseCharacters(bytes: Uint8Array, name: string, deadline: Deadline): ParsedDocument | Refusal {
  const text = decode(bytes)
  if (text instanceof Refusal) return text
  if (text.length > TEXT_UNITS_MAX) return tooLong()
  const format = sniffText(text, name)
  if (format === 'html') return finish('html', parseHtml(text, deadline), name)
  return finish(
    format,
    format === 'markdown' ? { text, ...parseMarkdown(text) } : { text, blocks: parseText(text) },
    name,
  )
}

function finish(format: Format, extracted: Extracted | Refusal, name: string): ParsedDocument | Refusal {
  if (extracted instanceof Refusal) return extracted
  if (!extracted.blocks.some((block) => block.end > block.start)) return refuse('document_empty', { detail: '' })
  const title = extracted.title ?? headingText(name.replace(/(?<=.)\.[^.]*$/, ''))
  return { ...extracted, title, mediaType: MEDIA_TYPES[format] }
}
