/** Extensions by which parsers know what a document is, for media types that a server or a sender
 *  names. What stands in the document decides over both. */
const EXTENSIONS: ReadonlyMap<string, string> = new Map([
  ['text/markdown', 'md'],
  ['text/x-markdown', 'md'],
  ['text/plain', 'txt'],
  ['text/html', 'html'],
  ['application/xhtml+xml', 'xhtml'],
  ['text/csv', 'csv'],
  ['text/tab-separated-values', 'tsv'],
  ['application/json', 'json'],
  ['application/jsonl', 'jsonl'],
  ['application/x-ndjson', 'jsonl'],
  ['application/pdf', 'pdf'],
  ['application/epub+zip', 'epub'],
  ['message/rfc822', 'eml'],
  ['application/vnd.openxmlformats-officedocument.wordprocessingml.document', 'docx'],
  ['application/vnd.openxmlformats-officedocument.presentationml.presentation', 'pptx'],
  ['application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', 'xlsx'],
])

/** `name` with the extension its media type asks for, where that is one we know. */
export function hintedName(name: string, mediaType: string | undefined): string {
  const type = mediaType?.split(';', 1)[0]?.trim().toLowerCase()
  const extension = type === undefined ? undefined : EXTENSIONS.get(type)
  if (extension === undefined || name.toLowerCase().endsWith(`.${extension}`)) return name
  // Plain text may be said of everything that is text: a name that says more stands.
  return extension === 'txt' && /\.[a-z0-9]{1,8}$/i.test(name) ? name : `${name}.${extension}`
}
