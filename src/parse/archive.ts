import { Refusal, refuse } from '../base/errors.ts'
import { parseDocx } from './docx.ts'
import { parseEpub } from './epub.ts'
import type { Extracted } from './extract.ts'
import type { Deadline } from './limits.ts'
import { parsePptx } from './pptx.ts'
import type { Format } from './sniff.ts'
import { parseXlsx } from './xlsx.ts'
import { Zip } from './zip.ts'

/** The formats that are zip archives, told apart by what is in them. An archive within an archive
 *  is not opened. */
export function parseArchive(
  bytes: Uint8Array,
  deadline: Deadline,
): { readonly format: Format; readonly extracted: Extracted | Refusal } | Refusal {
  const zip = Zip.open(bytes)
  if (zip instanceof Refusal) return zip
  if (zip.has('word/document.xml')) return { format: 'docx', extracted: parseDocx(zip, deadline) }
  if (zip.has('ppt/presentation.xml')) return { format: 'pptx', extracted: parsePptx(zip, deadline) }
  if (zip.has('xl/workbook.xml')) return { format: 'xlsx', extracted: parseXlsx(zip, deadline) }
  if (zip.has('META-INF/container.xml')) return { format: 'epub', extracted: parseEpub(zip, deadline) }
  const declared = zip.read('mimetype')
  const type =
    declared instanceof Uint8Array && declared.length < 100
      ? new TextDecoder().decode(declared).trim()
      : 'application/zip'
  return refuse('document_unsupported', { type })
}
