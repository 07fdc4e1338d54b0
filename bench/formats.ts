import { docx, epub, message, paragraph, pdf, pptx, shape, sheetData, xlsx } from '../tests/fixtures/documents.ts'
import type { Prose } from './prose.ts'

/** One file of every format that can be read, each with about as much text. */
export function formatFiles(prose: Prose, units: number): ReadonlyMap<string, Uint8Array> {
  const { paragraph: text, words, pick, next } = prose
  const until = (make: () => string): string[] => {
    const all: string[] = []
    for (let size = 0; size < units; size += all.at(-1)?.length ?? 0) all.push(make())
    return all
  }
  const html = until(() => `<h2>${words(4)}</h2><p class="x">${text()}</p><ul><li>${words(9)}</li></ul>\n`).join('')
  const row = (): (string | number)[] => [words(2), pick(), Math.floor(next() * 1e6), words(5)]
  const rows = [['Name', 'Kind', 'Amount', 'Remark'], ...until(() => row().join(',')).map((line) => line.split(','))]
  const record = (): string => JSON.stringify({ id: pick(), tags: [pick(), pick()], body: { text: text() } })
  const cells = rows.map((line, at) =>
    at === 0 ? line : line.map((cell, column) => (column === 2 ? Number(cell) : cell)),
  )
  return new Map<string, Uint8Array>([
    ['a.md', Buffer.from(until(() => `## ${words(4)}\n\n${text()}\n\n- ${words(9)}\n\n`).join(''))],
    ['a.txt', Buffer.from(until(() => `${text()}\n\n`).join(''))],
    ['a.html', Buffer.from(`<!doctype html><html><body>${html}</body></html>`)],
    [
      'a.pdf',
      pdf(
        until(() =>
          Array.from({ length: 8 }, text)
            .join(' ')
            .replace(/(.{70,80}) /g, '$1\n'),
        ),
      ),
    ],
    ['a.docx', docx(until(() => paragraph(words(4), 'Heading2') + paragraph(text())).join(''))],
    [
      'a.pptx',
      pptx(
        until(
          () => shape([words(4)], { placeholder: 'title' }) + shape([text(), words(9)], { placeholder: 'body' }),
        ).map((shapes) => ({ shapes })),
      ),
    ],
    ['a.xlsx', xlsx([{ name: 'Sheet', content: sheetData(cells) }])],
    ['a.epub', epub({ chapters: [html.slice(0, html.length / 2), html.slice(html.length / 2)] })],
    ['a.csv', Buffer.from(rows.map((line) => line.join(',')).join('\n'))],
    ['a.json', Buffer.from(`[${until(record).join(',\n')}]`)],
    ['a.jsonl', Buffer.from(until(record).join('\n'))],
    [
      'a.eml',
      message(
        ['Subject: Test', 'Content-Type: text/plain; charset=utf-8', 'Content-Transfer-Encoding: quoted-printable'],
        until(() => `${text().replace(/(.{60,70}) /g, '$1 =\r\n')}\r\n\r\n`).join(''),
      ),
    ],
    [
      'a.ts',
      Buffer.from(
        until(
          () =>
            `/** ${words(9)} */\nexport function ${pick()}${Math.floor(next() * 1e6)}(value: number): number {\n${`  const ${pick()} = compute(value, "${words(4)}")\n`.repeat(6)}  return value\n}\n\n`,
        ).join(''),
      ),
    ],
  ])
}
