import { posix } from 'node:path'
import { Refusal, refuse } from '../base/errors.ts'
import { Extract, type Extracted, headingText } from './extract.ts'
import { parseHtml } from './html.ts'
import { type Deadline, tooLong, tooSlow, unreadable } from './limits.ts'
import { localName, readXml } from './xml.ts'
import type { Zip } from './zip.ts'

/** The text of a book (EPUB 3.3), chapter by chapter in the order of its spine. Tables of contents
 *  made for programs, pictures and scripts are left out. */
export function parseEpub(zip: Zip, deadline: Deadline): Extracted | Refusal {
  const root = rootOf(zip, deadline)
  if (root instanceof Refusal) return root
  const book = packageOf(zip, root, deadline)
  if (book instanceof Refusal) return book
  const locked = encryptedParts(zip, deadline)
  if (locked instanceof Refusal) return locked
  const extract = new Extract()
  let missing = 0
  for (const part of book.chapters) {
    if (locked.has(part)) return unreadable('it is encrypted')
    const source = zip.text(part)
    if (source instanceof Refusal) return source
    if (source === undefined) missing++
    else {
      const chapter = parseHtml(source, deadline)
      if (chapter instanceof Refusal) return chapter
      extract.append(chapter)
    }
    if (extract.full) return tooLong()
    if (deadline.passed()) return tooSlow(deadline)
  }
  if (missing > 0 && extract.units === 0) return unreadable('all of its chapters are missing')
  if (missing > 0) extract.note(`${missing} missing ${missing === 1 ? 'chapter was' : 'chapters were'} left out.`)
  if (book.repeats) extract.note('Chapters that its order of reading names more than once were read once.')
  const title = headingText(book.title)
  return { ...extract.finish(), ...(title !== '' && { title }) }
}

/** The package document, as the container names it. */
function rootOf(zip: Zip, deadline: Deadline): string | Refusal {
  const container = zip.text('META-INF/container.xml')
  if (container instanceof Refusal) return container
  let root = ''
  const refused = readXml(
    container ?? '',
    {
      open(name, attributes) {
        if (localName(name) === 'rootfile') root ||= attributes['full-path'] ?? ''
      },
      close() {},
    },
    deadline,
  )
  if (refused !== undefined) return refused
  if (root === '') return unreadable('its container names no package document')
  return zip.has(root) ? root : unreadable('its package document is missing')
}

interface Book {
  readonly title: string
  /** Parts, each once. */
  readonly chapters: readonly string[]
  readonly repeats: boolean
}

interface Item {
  readonly part: string
  readonly type: string
  readonly fallback: string
  readonly isNavigation: boolean
}

function packageOf(zip: Zip, root: string, deadline: Deadline): Book | Refusal {
  const source = zip.text(root)
  if (source instanceof Refusal) return source
  const items = new Map<string, Item>()
  const spine: string[] = []
  let title = ''
  let reading = false
  const refused = readXml(
    // Books of version 2 may name the type of their package, without entities.
    (source ?? '').replace(/<!DOCTYPE\s+package\b[^>[]*>/, ''),
    {
      open(name, attributes) {
        const local = localName(name)
        reading = local === 'title' && title === ''
        if (local === 'item') items.set(attributes['id'] ?? '', itemOf(posix.dirname(root), attributes))
        else if (local === 'itemref') spine.push(attributes['idref'] ?? '')
      },
      close(name) {
        if (localName(name) === 'title') reading = false
      },
      text(text) {
        if (reading && title.length < TITLE_UNITS_MAX) title += text
      },
    },
    deadline,
  )
  if (refused !== undefined) return refused
  const chapters = new Set<string>()
  let repeats = false
  for (const id of spine) {
    const item = readable(items, id)
    if (item instanceof Refusal) return item
    if (item === undefined || item.isNavigation) continue
    if (chapters.has(item.part)) repeats = true
    chapters.add(item.part)
  }
  if (chapters.size === 0) return refuse('document_empty', { detail: ': its order of reading names no chapter' })
  return { title, chapters: [...chapters], repeats }
}

const TITLE_UNITS_MAX = 1_000

function itemOf(folder: string, attributes: { readonly [name: string]: string }): Item {
  return {
    part: partAt(folder, attributes['href'] ?? ''),
    type: attributes['media-type'] ?? '',
    fallback: attributes['fallback'] ?? '',
    isNavigation: (attributes['properties'] ?? '').split(/\s+/).includes('nav'),
  }
}

/** A reference is a URL, relative to the part it stands in. */
function partAt(folder: string, href: string): string {
  const path = href.replace(/[#?].*$/s, '')
  try {
    return posix.join(folder, decodeURIComponent(path))
  } catch {
    return posix.join(folder, path)
  }
}

/** The item itself where it is a page, else what stands in for it (section 3.4.2 of EPUB 3.3),
 *  which must not lead back to it. */
function readable(items: ReadonlyMap<string, Item>, id: string): Item | Refusal | undefined {
  const seen = new Set<string>()
  for (let at = id; ;) {
    if (seen.has(at)) return unreadable('the fallbacks of its chapters run in a circle')
    seen.add(at)
    const item = items.get(at)
    if (item === undefined || /xhtml|html/.test(item.type)) return item
    at = item.fallback
    if (at === '') return undefined
  }
}

/** Books lock their fonts, or all they have. */
function encryptedParts(zip: Zip, deadline: Deadline): ReadonlySet<string> | Refusal {
  const source = zip.text('META-INF/encryption.xml')
  if (source instanceof Refusal) return source
  const found = new Set<string>()
  const refused = readXml(
    source ?? '',
    {
      open(name, attributes) {
        if (localName(name) === 'CipherReference') found.add(partAt('', attributes['URI'] ?? ''))
      },
      close() {},
    },
    deadline,
  )
  return refused ?? found
}
