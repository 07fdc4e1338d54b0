/** The OpenAI client for Node, as it comes from npm. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import OpenAI, { AuthenticationError, BadRequestError, NotFoundError } from 'openai'
import { ADMIN_KEY, startHouse, type RunningHouse } from '../kit/house.ts'
import { DOCUMENTS, QUESTION } from './material.ts'

/** What Headworks adds to a completion. */
interface Extension {
  readonly request_id: string
  readonly answered: boolean
  readonly sources: readonly {
    readonly number: number
    readonly title: string
    readonly text: string
    readonly quotes: readonly { readonly start: number; readonly end: number }[]
  }[]
  readonly usage: unknown
}

const extensionOf = (value: object): Extension | undefined => (value as { headworks?: Extension }).headworks

suite('OpenAI for Node', () => {
  let house: RunningHouse
  let client: OpenAI
  before(async () => {
    house = await startHouse({ documents: DOCUMENTS })
    client = new OpenAI({ baseURL: `${house.url}/v1`, apiKey: ADMIN_KEY, maxRetries: 0 })
  })
  after(() => house.stop())

  const messages = [{ role: 'user', content: QUESTION }] as const

  test('lists the models', async () => {
    const ids: string[] = []
    for await (const model of client.models.list()) ids.push(model.id)
    assert.ok(ids.includes('docs'), ids.join(', '))
  })

  test('gets an answer with citations', async () => {
    const { data: completion, request_id: requestId } = await client.chat.completions
      .create({ model: 'docs', messages: [...messages] })
      .withResponse()
    const [choice] = completion.choices
    assert.equal(completion.object, 'chat.completion')
    assert.equal(choice?.finish_reason, 'stop')
    assert.match(choice.message.content ?? '', /Maren Holt.*\[1\]/s)
    assert.equal(
      completion.usage?.total_tokens,
      (completion.usage?.prompt_tokens ?? 0) + (completion.usage?.completion_tokens ?? 0),
    )
    assert.ok((completion.usage?.completion_tokens ?? 0) > 0)
    const citation = choice.message.annotations?.[0]
    assert.equal(citation?.type, 'url_citation')
    assert.ok(citation.url_citation.end_index > citation.url_citation.start_index)
    assert.ok(citation.url_citation.end_index <= (choice.message.content ?? '').length)
    assert.match(citation.url_citation.title, /lighthouse/i)
    const extension = extensionOf(completion)
    assert.equal(extension?.request_id, requestId)
    const source = extension?.sources.find(({ number }) => number === 1)
    const quoted = source?.quotes.map(({ start, end }) => source.text.slice(start, end)).join(' ')
    assert.match(quoted ?? '', /Maren Holt/)
  })

  test('gets the same answer streamed', async () => {
    const whole = await client.chat.completions.create({ model: 'docs', messages: [...messages] })
    const stream = await client.chat.completions.create({
      model: 'docs',
      messages: [...messages],
      stream: true,
      stream_options: { include_usage: true },
    })
    let text = ''
    let finish: string | null = null
    let usage: OpenAI.CompletionUsage | undefined
    const extensions: Extension[] = []
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? ''
      finish = chunk.choices[0]?.finish_reason ?? finish
      usage = chunk.usage ?? usage
      const extension = extensionOf(chunk)
      if (extension !== undefined) extensions.push(extension)
    }
    assert.equal(text, whole.choices[0]?.message.content)
    assert.equal(finish, 'stop')
    assert.deepEqual(usage, whole.usage)
    assert.ok((extensions[0]?.sources.length ?? 0) > 0, 'the first chunk names the sources')
    assert.equal(extensions.at(-1)?.answered, true)
  })

  test("the client's own stream helper puts the answer together", async () => {
    const completion = await client.chat.completions
      .stream({ model: 'docs', messages: [...messages] })
      .finalChatCompletion()
    assert.match(completion.choices[0]?.message.content ?? '', /Maren Holt/)
  })

  test('may stop a stream, and ask again', async () => {
    const stream = await client.chat.completions.create({ model: 'docs', messages: [...messages], stream: true })
    for await (const _ of stream) break
    const again = await client.chat.completions.create({ model: 'docs', messages: [...messages] })
    assert.match(again.choices[0]?.message.content ?? '', /Maren Holt/)
  })

  test('gets a response, whole and streamed, with its citations', async () => {
    const whole = await client.responses.create({ model: 'docs', input: QUESTION })
    assert.match(whole.output_text, /Maren Holt.*\[1\]/s)
    assert.deepEqual([whole.status, whole.error], ['completed', null])
    const [item] = whole.output
    const [part] = item?.type === 'message' ? item.content : []
    const [citation] = part?.type === 'output_text' ? part.annotations : []
    assert.equal(citation?.type, 'url_citation')
    assert.match(citation.title, /lighthouse/i)

    const types: string[] = []
    let text = ''
    const stream = client.responses.stream({ model: 'docs', input: [{ role: 'user', content: QUESTION }] })
    for await (const event of stream) {
      types.push(event.type)
      if (event.type === 'response.output_text.delta') text += event.delta
    }
    const final = await stream.finalResponse()
    assert.equal(text, whole.output_text)
    assert.deepEqual([final.output_text, final.usage], [whole.output_text, whole.usage])
    assert.deepEqual([types[0], types.at(-1)], ['response.created', 'response.completed'])
    assert.ok(types.includes('response.output_text.annotation.added'), types.join(' '))
    await assert.rejects(
      client.responses.create({ model: 'docs', input: QUESTION, previous_response_id: 'resp_1' }),
      (error) => error instanceof BadRequestError && error.param === 'previous_response_id',
    )
  })

  test('gets a legacy completion, whole and streamed', async () => {
    const whole = await client.completions.create({ model: 'docs', prompt: QUESTION })
    assert.match(whole.choices[0]?.text ?? '', /Maren Holt/)
    let text = ''
    for await (const chunk of await client.completions.create({ model: 'docs', prompt: QUESTION, stream: true }))
      text += chunk.choices[0]?.text ?? ''
    assert.equal(text, whole.choices[0]?.text)
  })

  test('asks twice under one Idempotency-Key and gets one answer', async () => {
    const ask = async () =>
      client.chat.completions
        .create({ model: 'docs', messages: [...messages] }, { headers: { 'Idempotency-Key': 'order-118' } })
        .withResponse()
    const [one, two] = await Promise.all([ask(), ask()])
    assert.deepEqual([one.data, one.request_id], [two.data, two.request_id])
    assert.equal((await ask()).request_id, one.request_id)
  })

  test('says when the sources hold no answer', async () => {
    const completion = await client.chat.completions.create({
      model: 'docs',
      messages: [{ role: 'user', content: 'Which quantum chromodynamics coupling constant?' }],
    })
    assert.equal(extensionOf(completion)?.answered, false)
  })

  test('raises its own error for a wrong key, an unknown model, a bad request', async () => {
    const stranger = new OpenAI({ baseURL: `${house.url}/v1`, apiKey: 'hw_wrong', maxRetries: 0 })
    await assert.rejects(
      stranger.models.list(),
      (error) => error instanceof AuthenticationError && error.code === 'invalid_api_key',
    )
    await assert.rejects(
      client.chat.completions.create({ model: 'nowhere', messages: [...messages] }),
      (error) =>
        error instanceof NotFoundError && error.code === 'model_not_found' && error.message.includes('"nowhere"'),
    )
    await assert.rejects(client.chat.completions.create({ model: 'docs', messages: [] }), BadRequestError)
  })
})
