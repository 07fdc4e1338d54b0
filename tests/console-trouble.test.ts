import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { BROWSER, gate, openStage, QUESTION } from './console/browser.ts'
import { wholeAnswer, type Answering } from './console/scripted.ts'

describe('the console in a browser, on a bad day', BROWSER, () => {
  const stage = openStage()

  test('a document that is gone says so in the sheet', async () => {
    await stage.page.route('**/documents/*', (route) =>
      route.fulfill({
        status: 404,
        json: {
          error: { message: 'No document is called "d1". Check the name.', type: 'x', param: null, code: 'not_found' },
        },
      }),
    )
    await stage.page.goto(stage.house.url)
    await stage.ask(QUESTION)
    await stage.source(1).getByRole('button', { name: 'Document' }).click()
    await stage.page.getByRole('dialog').getByText('No document is called "d1".').waitFor()
    await stage.page.unroute('**/documents/*')
    await stage.page.getByRole('button', { name: 'Try again' }).click()
    await stage.page.getByRole('dialog').locator('mark').first().waitFor()
  })

  const breaks: { readonly [how: string]: (reply: Answering) => void }[] = [
    { 'ends without [DONE]': (reply) => reply.end() },
    { 'is reset': (reply) => reply.reset() },
  ]
  for (const [how, breakOff] of breaks.flatMap((one) => Object.entries(one))) {
    test(`a stream that ${how} is shown as broken off, not as an answer`, async () => {
      const seen = gate()
      stage.house.answer = async (reply) => {
        reply.open()
        reply.text('Half an answer')
        await seen.passed
        breakOff(reply)
      }
      await stage.page.goto(stage.house.url)
      await stage.ask(QUESTION)
      await stage.answer.getByText('Half an answer').waitFor()
      seen.open()
      await stage.answer.getByRole('alert').getByText('The answer broke off').waitFor()
      await stage.answer.getByText('Half an answer').waitFor()
      await stage.page.getByRole('navigation', { name: 'Recent questions' }).getByText('broke off').waitFor()
    })
  }

  test('an error frame shows its words, its code and the request', async () => {
    stage.house.answer = (reply) => {
      reply.open()
      reply.text('Half an answer')
      reply.send({
        error: {
          message: 'The answer of the engine "local" broke off: reset. Ask again; what had arrived was charged.',
          type: 'server_error',
          param: null,
          code: 'stream_broken',
        },
      })
      reply.end()
    }
    await stage.page.goto(stage.house.url)
    await stage.ask(QUESTION)
    const alert = stage.answer.getByRole('alert')
    await alert.getByText('what had arrived was charged').waitFor()
    assert.match((await alert.textContent()) ?? '', /stream_broken.*req_01k9p3v7c2e8x4m6n0q5r1t9wz/)
  })

  test('a refusal says what to do, and trying again asks again', async () => {
    stage.house.answer = (reply) =>
      reply.refuse(503, 'engine_busy', 'The engine "local" is overloaded. Retry after a pause, or add a deployment.')
    await stage.page.goto(stage.house.url)
    await stage.ask(QUESTION)
    await stage.answer.getByText('Retry after a pause, or add a deployment.').waitFor()
    stage.house.answer = wholeAnswer
    await stage.page.getByRole('button', { name: 'Try again' }).click()
    await stage.answer.getByText('free (embedded)').waitFor()
    assert.equal(stage.house.asked.length, 2)
  })

  test('a server that has gone is said to be gone; one that comes back is noticed', async () => {
    await stage.page.route('**/api/session', (route) => route.abort())
    await stage.page.goto(stage.house.url)
    await stage.page.getByRole('alert').getByText('The server does not answer.').waitFor()
    await stage.page.unroute('**/api/session')
    await stage.page.getByRole('textbox', { name: 'Question' }).waitFor()
    await stage.page.route('**/v1/chat/completions', (route) => route.abort())
    await stage.ask(QUESTION)
    await stage.answer.getByRole('alert').getByText('The server does not answer.').waitFor()
  })

  test('a session that ends while asking leads to the sign-in, a used link is explained there', async () => {
    await stage.page.goto(stage.house.url)
    await stage.page.getByRole('textbox', { name: 'Question' }).waitFor()
    stage.house.isSignedIn = false
    await stage.ask(QUESTION)
    await stage.page.getByLabel('Key').waitFor()
    await stage.page.goto(`${stage.house.url}/?login=expired`)
    await stage.page.getByText('The sign-in link was used already').waitFor()
  })

  test('without a collection the page says how to make one, and notices when there is one', async () => {
    stage.house.isEmpty = true
    await stage.page.goto(stage.house.url)
    await stage.page.getByText('npx headworks ingest handbook ./docs').waitFor()
    stage.house.isEmpty = false
    await stage.page.getByText('Passages').waitFor()
  })

  test('an unknown page says so inside the shell', async () => {
    await stage.page.goto(`${stage.house.url}/no/such/page`)
    await stage.page.getByText('There is no such page').waitFor()
    await stage.page.getByRole('link', { name: 'Ask a question' }).click()
    await stage.page.getByRole('textbox', { name: 'Question' }).waitFor()
  })

  test('markup in an answer, a title or a passage stays text', async () => {
    stage.house.answer = (reply) => {
      reply.open()
      reply.text('<img src=x onerror=alert(1)> [click](javascript:alert(1)) [9] [ok](https://example.com/)')
      const text = '<script>alert(1)</script> & <b>bold</b>'
      const hostile = {
        number: 1,
        collection: 'handbook',
        document: 'd1',
        uri: 'docs/<x>.md',
        title: '<i>title</i>',
        headings: [],
        start: 0,
        end: 40,
        text,
        quotes: [{ start: 0, end: 8 }],
      }
      reply.send({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }], headworks: { sources: [hostile] } })
      reply.send({ choices: [], usage: null })
      reply.finish()
    }
    await stage.page.goto(stage.house.url)
    await stage.ask(QUESTION)
    const prose = stage.answer.locator('.prose')
    await prose.getByText('<img src=x onerror=alert(1)>').waitFor()
    assert.deepEqual(
      await stage.page.evaluate('[...document.querySelectorAll(".prose a")].map((link) => link.getAttribute("href"))'),
      ['https://example.com/'],
    )
    assert.match((await prose.textContent()) ?? '', /\[click\]\(javascript:alert\(1\)\) \[9\]/)
    assert.equal(await prose.locator('img').count(), 0)
  })
})
