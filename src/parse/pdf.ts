import { refuse, type Refusal, reasonOf } from '../base/errors.ts'
import { Extract, type Extracted, headingText } from './extract.ts'
import { type Operators, seenOf, type Shown, shownText } from './pdf-unseen.ts'
import { PDF_PAGES_MAX, tooLong, tooSlow, unreadable, type Deadline } from './limits.ts'

/** The text of a PDF, page by page. Scripts in it are not run, fonts are not loaded, images not
 *  decoded. Each page begins with a mark, so that a passage can name its page. Text drawn invisibly is
 *  left out where there is other text on its page; where there is not, it is what text recognition
 *  found in a scan. */
export async function parsePdf(bytes: Uint8Array, deadline: Deadline): Promise<Extracted | Refusal> {
  // 1.7 MB of program: loaded by the first PDF.
  const { getDocumentProxy, getResolvedPDFJS } = await import('unpdf')
  let pdf: Awaited<ReturnType<typeof getDocumentProxy>>
  try {
    // A copy: the parser takes ownership of the memory it is given.
    pdf = await getDocumentProxy(new Uint8Array(bytes), {
      verbosity: 0,
      useSystemFonts: false,
      disableFontFace: true,
      // In pixels: none is decoded.
      maxImageSize: 1,
    })
  } catch (error) {
    return unreadable(
      error instanceof Error && error.name === 'PasswordException' ? 'it is encrypted' : reasonOf(error).slice(0, 200),
    )
  }
  try {
    const { OPS } = await getResolvedPDFJS()
    return await readPages(pdf, OPS, deadline)
  } finally {
    await pdf.loadingTask.destroy()
  }
}

type Pdf = Awaited<ReturnType<typeof import('unpdf').getDocumentProxy>>

async function readPages(pdf: Pdf, operators: Operators, deadline: Deadline): Promise<Extracted | Refusal> {
  const extract = new Extract()
  const pages = Math.min(pdf.numPages, PDF_PAGES_MAX)
  let broken = 0
  let layers = 0
  const seenItems = (items: readonly Item[], runs: readonly Shown[]): readonly Item[] => {
    if (!runs.some(({ isUnseen }) => isUnseen)) return items
    if (runs.every(({ isUnseen }) => isUnseen)) {
      layers++
      return items
    }
    const strings = items.map(({ str }) => str)
    const { seen, unseen } = seenOf(strings, runs)
    for (const text of unseen) extract.hidden.passage(text)
    return items.map((item, at) => ({ ...item, str: seen[at] ?? item.str }))
  }
  let brokenReason = ''
  for (let number = 1; number <= pages; number++) {
    if (deadline.passed()) return tooSlow(deadline)
    try {
      const page = await pdf.getPage(number)
      const items: Item[] = (await page.getTextContent()).items.filter(isText)
      const runs = items.length === 0 ? [] : shownText(await page.getOperatorList(), operators)
      extract.mark(`Page ${number}`)
      for (const paragraph of paragraphs(seenItems(items, runs))) extract.add('paragraph', paragraph)
      page.cleanup()
    } catch (error) {
      broken++
      brokenReason = reasonOf(error).slice(0, 200)
    }
    if (extract.full) return tooLong()
  }
  if (extract.units === 0) {
    if (broken > 0) return unreadable(`none of its ${pages} pages could be read (${brokenReason})`)
    return refuse('document_empty', { detail: `, only ${pages === 1 ? 'a page' : `${pages} pages`} of images` })
  }
  const title = headingText(await titleOf(pdf))
  if (pdf.numPages > pages) extract.note(`Only the first ${pages} of ${pdf.numPages} pages were read.`)
  if (broken > 0) extract.note(`${broken} damaged ${broken === 1 ? 'page was' : 'pages were'} left out.`)
  if (layers > 0)
    extract.note(
      `All text of ${layers} ${layers === 1 ? 'page' : 'pages'} is invisible, as text recognition adds it to a scan.`,
    )
  return { ...extract.finish(), ...(title !== '' && { title }) }
}

async function titleOf(pdf: Pdf): Promise<string> {
  try {
    const { info } = await pdf.getMetadata()
    const title: unknown = 'Title' in info ? info.Title : undefined
    // Word processors write the file's name there: no title.
    return typeof title === 'string' &&
      !/^(?:untitled|microsoft word - .*|.*\.(?:docx?|indd|tex|dvi|pdf))$/i.test(title.trim())
      ? title
      : ''
  } catch {
    return ''
  }
}

interface Item {
  readonly str: string
  readonly hasEOL: boolean
  readonly height: number
  readonly transform: readonly number[]
}

/** Lines further apart than this many of their heights begin a new paragraph. */
const PARAGRAPH_GAP = 1.6

/** What lies close together, as one; a word divided at the end of a line is joined. */
function paragraphs(items: readonly Item[]): string[] {
  const found: string[] = []
  let paragraph = ''
  let line = ''
  let lastY: number | undefined
  const endLine = (y: number | undefined, height: number): void => {
    const text = line.trim()
    line = ''
    if (text === '') return
    const apart = lastY !== undefined && y !== undefined && Math.abs(lastY - y) > height * PARAGRAPH_GAP
    if (apart && paragraph !== '') {
      found.push(paragraph)
      paragraph = ''
    }
    lastY = y
    if (/\p{Ll}-$/u.test(paragraph) && /^\p{Ll}/u.test(text)) paragraph = paragraph.slice(0, -1) + text
    else paragraph += (paragraph === '' ? '' : '\n') + text
  }
  let y: number | undefined
  let height = 0
  for (const item of items) {
    if (item.str.trim() !== '') {
      y = item.transform[5]
      height = item.height > 0 ? item.height : height
    }
    line += item.str
    if (item.hasEOL) endLine(y, height)
  }
  endLine(y, height)
  if (paragraph !== '') found.push(paragraph)
  return found
}

const isText = <Any extends object>(item: Any): item is Any & Item => 'str' in item
