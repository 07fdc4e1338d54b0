import type { Argument, Input, Run } from './command.ts'
import { listOf, textOf } from './conversation.ts'
import { callApi, Declined, openApi, printJson, report } from './declined.ts'
import { styleFor, widthFor } from './style.ts'
import { cut, oneLine, printable, wrap } from './text.ts'

type SearchInput = Input<
  readonly [Argument & { name: 'collection'; optional: true }, Argument & { name: 'query' }],
  { count: { type: 'count'; value: string; summary: string; least: number; most: number; default: number } }
>

const LINES_SHOWN_MAX = 4

export const run: Run<SearchInput> = async ({ words, flags, json }, context) => {
  const api = await openApi(context)
  if (api instanceof Declined) return report(context, api, json)
  const collection = words.collection ?? 'handbook'
  const found = await callApi(api, 'POST', `/api/collections/${encodeURIComponent(collection)}/search`, {
    query: words.query,
    k: flags.count,
  })
  if (found instanceof Declined) return report(context, found, json)
  if (json) {
    printJson(context, found)
    return 0
  }
  const width = widthFor(context.stdout)
  const style = styleFor(context.stdout, context.env)
  const passages = listOf(found['passages'])
  for (const [at, passage] of passages.entries()) {
    const headings = passage['headings']
    const name = oneLine(
      [textOf(passage['title']), ...(Array.isArray(headings) ? (headings as readonly unknown[]).map(String) : [])].join(
        ' › ',
      ),
    )
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
