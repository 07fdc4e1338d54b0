import { toProblem } from '../base/errors.ts'
import { billText, sourcesText, stagesText } from './answer.ts'
import type { Argument, Run, Input } from './command.ts'
import { type Answer, ask } from './conversation.ts'
import { Declined, declinedBy, printJson, report } from './declined.ts'
import { callApi, openApi } from './exchange.ts'
import { styleFor, widthFor } from './style.ts'
import { StreamWrapper } from './text.ts'

type AskInput = Input<
  readonly [Argument & { name: 'model'; optional: true }, Argument & { name: 'question' }],
  { stages: { type: 'switch'; summary: string }; priority: { type: 'text'; value: string; summary: string } }
>

export const run: Run<AskInput> = async ({ words, flags, json }, context) => {
  const api = await openApi(context)
  if (api instanceof Declined) return report(context, api, json)
  const model = words.model ?? 'docs'
  const headers = flags.priority === undefined ? {} : { 'x-headworks-priority': flags.priority }
  if (json) {
    const body = { model, messages: [{ role: 'user', content: words.question }] }
    const completion = await callApi(api, 'POST', '/v1/chat/completions', body, headers)
    if (completion instanceof Declined) return report(context, completion, json)
    printJson(context, completion)
    return 0
  }
  const { stdout, stderr } = context
  const writer = new StreamWrapper(stdout.isTerminal ? widthFor(stdout) : Infinity, (text) => stdout.write(text))
  let wrote = false
  const onText = (text: string): void => {
    wrote = true
    writer.push(text)
  }
  let answer: Answer | Declined | undefined
  try {
    answer = await ask(api, model, words.question, { onText, signal: context.stopped, headers })
  } catch (thrown) {
    // Ctrl-C needs no explanation.
    answer = context.stopped.aborted ? undefined : declinedBy(toProblem(thrown))
  }
  writer.end()
  if (wrote) stdout.write('\n')
  if (answer === undefined) return 1
  if (answer instanceof Declined) return report(context, answer, false)
  const sources = sourcesText(answer, widthFor(stdout), styleFor(stdout, context.env))
  if (sources !== '') stdout.write(`\n${sources}`)
  const stages = flags.stages ? stagesText(answer.stages, widthFor(stdout), styleFor(stdout, context.env)) : ''
  if (stages !== '') stdout.write(`\n${stages}`)
  const bill = billText(answer)
  if (bill !== '') stderr.write(`${stderr.isTerminal ? '\n' : ''}${styleFor(stderr, context.env).dim(bill)}\n`)
  return 0
}
