import type { Argument, Input, Run } from './command.ts'
import { listOf, textOf } from './fields.ts'
import { answerFor } from './exchange.ts'
import { styleFor, widthFor } from './style.ts'
import { cut, oneLine, printable, wrap } from './text.ts'

type SearchInput = Input<
  readonly [Argument & { name: 'collection'; optional: true }, Argument & { name: 'query' }],
  { count: { type: 'count'; value: string; summary: string; least: number; most: number; default: number } }
>

const LINES_SHOWN_MAX = 4

export const run: Run<SearchInput> = async ({ words, flags, json }, context) => {
  const collection = words.collection ?? 'handbook'
  const found = await answerFor(context, json, 'POST', `/api/collections/${encodeURIComponent(collection)}/search`, {
    query: words.query,
    k: flags.count,
  })
  if (typeof found === 'number') return found
  const width = widthFor(context.stdout)
  const style = styleFor(context.stdout, context.env)
  const passages = listOf(found['passages'])
  for (const [at, passage] of passages.entries()) {
    const headings = Array.isArray(passage['headings']) ? (passage['headings'] as readonly unknown[]).map(String) : []
    const title = textOf(passage['title'])
    const name = oneLine([title, ...headings.filter((heading) => heading !== title)].join(' › '))
    const lines = wrap(printable(textOf(passage['text'])).trim(), width, '    ')
      .split('\n')
      .filter((line) => line.trim() !== '')
    context.stdout.write(
      `${style.bold(`${at + 1}. ${cut(name, width - 4)}`)}\n    ${style.dim(cut(oneLine(textOf(passage['uri'])), width - 4))}\n`,
    )
    context.stdout.write(
      `${lines.slice(0, LINES_SHOWN_MAX).join('\n')}${lines.length > LINES_SHOWN_MAX ? ' …' : ''}\n\n`,
    )
  }
  if (passages.length === 0) context.stdout.write(`Nothing in ${collection} resembles that.\n`)
  return 0
}
