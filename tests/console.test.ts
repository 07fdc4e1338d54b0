import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { BROWSER, gate, openStage, QUESTION } from './console/browser.ts'
import { wholeAnswer, type Answering } from './console/scripted.ts'
import { ADMIN_KEY, startHouse } from './kit/house.ts'

describe('the console in a browser', BROWSER, () => {
  const stage = openStage()
  const scrollsSideways = () => stage.page.evaluate('document.documentElement.scrollWidth > innerWidth')

  test('an answer streams in, and its sources before it', async () => {
    const more = gate()
    stage.house.answer = async (reply) => {
      reply.open()
      reply.text('Name the engine. [1')
      await more.passed
      reply.text('] Then reload. [2]')
      reply.finish()
    }
    await stage.page.goto(stage.house.url)
    await stage.ask(QUESTION)
    await stage.answer.getByText('Name the engine.').waitFor()
    await stage.source(2).waitFor()
    assert.equal(await stage.answer.getAttribute('aria-busy'), 'true')
    assert.doesNotMatch((await stage.answer.locator('.prose').textContent()) ?? '', /\[/, 'half a marker is not shown')
    more.open()
    await stage.answer.getByRole('link', { name: 'Source 2: Configuration' }).waitFor()
    assert.equal(await stage.answer.getAttribute('aria-busy'), 'false')
    assert.deepEqual(
      stage.house.asked.map((body) => [body['model'], body['stream']]),
      [['docs', true]],
      'a workflow is the first choice',
    )
  })

  test('citations point at their sources, sources at their sentences', async () => {
    await stage.page.goto(stage.house.url)
    await stage.ask(QUESTION)
    await stage.answer
      .getByRole('link', { name: /^Source 1/ })
      .first()
      .hover()
    await stage.page.locator('#source-1[data-active]').waitFor()
    assert.equal(await stage.page.locator('#source-2[data-active]').count(), 0)
    await stage.answer.getByRole('link', { name: /^Source 3/ }).focus()
    await stage.page.locator('#source-3[data-active]').waitFor()
    await stage.page.keyboard.press('Enter')
    assert.equal(await stage.page.evaluate('document.activeElement.id'), 'source-3')
    assert.deepEqual(await stage.source(3).locator('mark').allTextContents(), [
      'Each finding comes with one sentence on what to do.',
    ])
    await stage.page.keyboard.press('2')
    assert.equal(await stage.page.evaluate('document.activeElement.id'), 'source-2')
  })

  test('the whole document opens at the passage, and Escape gives the focus back', async () => {
    await stage.page.goto(stage.house.url)
    await stage.ask(QUESTION)
    await stage.source(1).getByRole('button', { name: 'Document' }).click()
    const sheet = stage.page.getByRole('dialog', { name: 'Engines' })
    const mark = sheet.locator('mark').first()
    await mark.waitFor()
    assert.match((await sheet.textContent()) ?? '', /An appendix goes on and on/)
    assert.match((await mark.textContent()) ?? '', /^Name it under/)
    const box = await mark.boundingBox()
    assert.ok(box !== null && box.y > 0 && box.y < 720, 'the quoted sentence is in view')
    await stage.page.keyboard.press('Escape')
    await sheet.waitFor({ state: 'detached' })
    await stage.source(1).locator('button:focus').getByText('Document').waitFor()
  })

  test('the facts of an answer', async () => {
    await stage.page.goto(stage.house.url)
    await stage.ask(QUESTION)
    const facts = stage.answer.locator('.titleblock')
    await facts.getByText('free (embedded)').waitFor()
    assert.match(
      (await facts.textContent()) ?? '',
      /Tokens in1,874Tokens out126.*docson reader.*req_01k9p3v7c2e8x4m6n0q5r1t9wz/,
    )
    assert.equal(
      await facts.getByRole('link', { name: 'Trace' }).getAttribute('href'),
      '/traces?trace=req_01k9p3v7c2e8x4m6n0q5r1t9wz',
    )
  })

  test('the stages: a waterfall to point at and to walk by arrow keys, and a table', async () => {
    await stage.page.goto(stage.house.url)
    await stage.ask(QUESTION)
    const stages = stage.page.getByRole('region', { name: 'Stages' })
    const rows = stages.locator('.waterfall-row')
    await rows.first().waitFor()
    assert.equal(await rows.count(), 8)
    const detail = stages.locator('.waterfall-detail')
    assert.match((await detail.textContent()) ?? '', /^model.*deploymentreader/, 'the longest is shown first')
    await stages.getByRole('button', { name: /^search: 7\.3 ms, from 0\.6 ms to 7\.9 ms/ }).hover()
    assert.match((await detail.textContent()) ?? '', /candidates40/)
    await rows.first().focus()
    await stage.page.keyboard.press('ArrowDown')
    await stage.page.keyboard.press('ArrowDown')
    assert.match((await detail.textContent()) ?? '', /^retrieve.*collectionhandbook/)
    await stages.getByRole('radio', { name: 'Table' }).check({ force: true })
    assert.equal(await stages.getByRole('row').count(), 9)
    await stages.getByRole('cell', { name: 'rerank' }).waitFor()
  })

  test('Escape stops the answer and the server hears of it', async () => {
    stage.house.answer = (reply) => {
      reply.open()
      reply.text('A first part')
    }
    await stage.page.goto(stage.house.url)
    await stage.ask(QUESTION)
    await stage.answer.getByText('A first part').waitFor()
    await stage.page.keyboard.press('Escape')
    await stage.answer.getByText('Stopped.').waitFor()
    await stage.answer.getByText('A first part').waitFor()
    await until(() => stage.house.cancelled === 1)
  })

  test('a question in the address is filled in and waits for Enter: a link spends nothing', async () => {
    await stage.page.goto(`${stage.house.url}/ask?q=${encodeURIComponent(QUESTION)}&model=chat`)
    await stage.page.getByText('This question came with the link.').waitFor()
    assert.equal(await stage.page.getByRole('textbox', { name: 'Question' }).inputValue(), QUESTION)
    assert.equal(await stage.page.getByRole('combobox').inputValue(), 'chat')
    assert.equal(stage.house.asked.length, 0)
    await stage.page.keyboard.press('Enter')
    await stage.answer.getByText('free (embedded)').waitFor()
    assert.equal(stage.house.asked[0]?.['model'], 'chat')
  })

  test('back, forward and reload show the answers again without asking again', async () => {
    await stage.page.goto(stage.house.url)
    stage.house.answer = (reply) => tell(reply, 'The first answer.')
    await stage.ask('First?')
    await stage.answer.getByText('The first answer.').waitFor()
    stage.house.answer = (reply) => tell(reply, 'The second answer.')
    await stage.ask('Second?')
    await stage.answer.getByText('The second answer.').waitFor()
    assert.match(stage.page.url(), /\/ask\?q=Second%3F&model=docs$/)
    await stage.page.goBack()
    await stage.answer.getByText('The first answer.').waitFor()
    assert.equal(await stage.page.getByRole('textbox', { name: 'Question' }).inputValue(), 'First?')
    await stage.page.goForward()
    await stage.answer.getByText('The second answer.').waitFor()
    await stage.page.reload()
    await stage.answer.getByText('The second answer.').waitFor()
    await stage.page.getByRole('navigation', { name: 'Recent questions' }).getByText('First?').click()
    await stage.answer.getByText('The first answer.').waitFor()
    assert.equal(stage.house.asked.length, 2)
  })

  test('Shift+Enter breaks the line, an empty question is not asked', async () => {
    await stage.page.goto(stage.house.url)
    const box = stage.page.getByRole('textbox', { name: 'Question' })
    await box.press('Enter')
    await box.pressSequentially('one')
    await box.press('Shift+Enter')
    await box.pressSequentially('two')
    await box.press('Enter')
    await stage.answer.waitFor()
    assert.deepEqual(
      stage.house.asked.map((body) => body['messages']),
      [[{ role: 'user', content: 'one\ntwo' }]],
    )
  })

  test('slash goes to the box, a question mark shows the keys, both are letters while typing', async () => {
    await stage.page.goto(stage.house.url)
    const box = stage.page.getByRole('textbox', { name: 'Question' })
    await box.pressSequentially('/?')
    assert.equal(await box.inputValue(), '/?')
    await box.blur()
    await stage.page.keyboard.press('?')
    await stage.page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor()
    await stage.page.keyboard.press('Escape')
    await stage.page.keyboard.press('/')
    await stage.page.locator('#question:focus').waitFor()
    assert.equal(await box.inputValue(), '/?')
  })

  test('sign-in: a wrong key is refused in words, the right one opens, signing out forgets', async () => {
    stage.house.isSignedIn = false
    await stage.page.goto(stage.house.url)
    const key = stage.page.getByLabel('Key')
    await stage.page.getByRole('button', { name: 'Sign in' }).click()
    await stage.page.getByRole('alert').getByText('Paste a key first.').waitFor()
    await key.fill('hw_wrong')
    await stage.page.keyboard.press('Enter')
    await stage.page.getByRole('alert').getByText('The key is not known').waitFor()
    await key.fill(` ${stage.house.key}\n`)
    await stage.page.keyboard.press('Enter')
    await stage.ask(QUESTION)
    await stage.answer.getByText('free (embedded)').waitFor()
    await stage.page.getByRole('button', { name: 'Sign out' }).click()
    await key.waitFor()
    assert.equal(await stage.page.evaluate("sessionStorage.getItem('headworks.asked')"), '[]')
  })

  test('light and dark follow the system until one is chosen, and the choice stays', async () => {
    await stage.page.emulateMedia({ colorScheme: 'dark' })
    await stage.page.goto(stage.house.url)
    const paper = () => stage.page.evaluate('getComputedStyle(document.querySelector("main")).backgroundColor')
    await stage.page.getByRole('textbox', { name: 'Question' }).waitFor()
    assert.equal(await paper(), 'rgb(20, 28, 35)')
    await stage.page.getByRole('radio', { name: 'Light' }).check({ force: true })
    assert.equal(await paper(), 'rgb(255, 255, 255)')
    await stage.page.reload()
    await stage.page.getByRole('textbox', { name: 'Question' }).waitFor()
    assert.equal(await paper(), 'rgb(255, 255, 255)')
    await stage.page.getByRole('radio', { name: 'As the system' }).check({ force: true })
    assert.equal(await paper(), 'rgb(20, 28, 35)')
  })

  test('from 360 pixels on nothing runs off the side, and every control has a name', async () => {
    for (const width of [360, 768, 1920]) {
      await stage.page.setViewportSize({ width, height: 800 })
      stage.house.answer = wholeAnswer
      await stage.page.goto(stage.house.url)
      assert.equal(await scrollsSideways(), false, `idle at ${width}`)
      await stage.ask(QUESTION)
      await stage.page.getByRole('region', { name: 'Stages' }).waitFor()
      assert.equal(await scrollsSideways(), false, `answer at ${width}`)
      await stage.page.getByRole('radio', { name: 'Table' }).check({ force: true })
      assert.equal(await scrollsSideways(), false, `table at ${width}`)
      stage.house.answer = (reply) =>
        reply.refuse(502, 'engine_unreachable', `The engine cannot be reached: ${'x'.repeat(300)}.`)
      await stage.ask(`${'long'.repeat(50)}?`)
      await stage.page.getByRole('alert').waitFor()
      assert.equal(await scrollsSideways(), false, `error at ${width}`)
    }
    const nameless =
      '[...document.querySelectorAll("button, a[href], input, select, textarea")].filter((one) => !(one.textContent.trim() || one.ariaLabel || one.labels?.length)).map((one) => one.outerHTML)'
    assert.deepEqual(await stage.page.evaluate(nameless), [])
  })

  test('the pages are served with a strict policy, the scripts as immutable', async () => {
    const html = await fetch(stage.house.url)
    assert.match(
      html.headers.get('content-security-policy') ?? '',
      /default-src 'none'.*require-trusted-types-for 'script'/,
    )
    const script = /src="(\/assets\/[^"]+\.js)"/.exec(await html.text())?.[1] ?? ''
    const served = await fetch(stage.house.url + script)
    assert.match(served.headers.get('cache-control') ?? '', /immutable/)
    assert.equal(served.headers.get('content-encoding'), 'gzip')
    assert.match(await served.text(), /Headworks/)
    assert.equal((await fetch(`${stage.house.url}/assets/none.js`)).status, 404)
  })

  test('with the real server: sign in, ask the handbook, open a source', async () => {
    const real = await startHouse()
    try {
      const page = await stage.visit(real.url)
      await page.goto(real.url)
      await stage.page.getByLabel('Key').fill(ADMIN_KEY)
      await stage.page.keyboard.press('Enter')
      await stage.ask(QUESTION)
      await stage.page.getByRole('region', { name: 'Stages' }).waitFor()
      await stage.answer.getByText('free (embedded)').waitFor()
      assert.ok((await stage.answer.getByRole('link', { name: /^Source \d/ }).count()) > 0, 'the answer cites')
      assert.ok((await stage.page.locator('.source mark').count()) > 0, 'a source shows what is quoted')
      await stage.page.locator('.source[data-quoted]').first().getByRole('button', { name: 'Document' }).click()
      await stage.page.getByRole('dialog').locator('mark').first().waitFor()
      await stage.page.keyboard.press('Escape')
      await stage.page.getByRole('link', { name: 'Trace', exact: true }).click()
      await stage.page.getByRole('heading', { name: /^Traces / }).waitFor()
      await stage.page.getByLabel('Facts about the trace').getByText('headworks').waitFor()
      await stage.page.getByRole('button', { name: 'Sign out' }).click()
      await stage.page.getByLabel('Key').waitFor()
    } finally {
      await real.stop()
    }
  })
})

function tell(reply: Answering, text: string): void {
  reply.open()
  reply.text(text)
  reply.finish()
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10))
}
