import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { becomes, BROWSER, openMeteredStage } from './console/browser.ts'
import { serveMetered } from './console/metered.ts'

describe('usage in a browser', BROWSER, () => {
  const stage = openMeteredStage()
  const parts = () => stage.page.locator('.icicle-part')
  const part = (name: RegExp) => stage.page.getByRole('list', { name: /^What makes up/ }).getByRole('button', { name })
  const focused = () => stage.page.evaluate<string | null>('document.activeElement.getAttribute("aria-label")')
  const table = (level: string) => stage.page.getByRole('region', { name: `Usage by ${level}` })

  test('every part says its name, amount and share; the columns are the levels', async () => {
    await stage.go('/usage')
    await parts().first().waitFor()
    const labels = await parts().evaluateAll((all) => all.map((one) => one.getAttribute('aria-label') ?? ''))
    for (const label of labels) assert.match(label, /^(team|user|prompt|model) .+: \$[\d.,]+, (<0\.1|[\d.]+) %$/)
    const top = labels.filter((label) => label.startsWith('team '))
    assert.match(top[0] ?? '', /^team web: \$1\d\.\d\d, 5\d %$/)
    assert.deepEqual(await stage.page.locator('.icicle-head').allTextContents(), ['teamuserpromptmodel'])
    assert.ok(
      labels.some((label) => /^user \d+ others: /.test(label)),
      'what is too small stands together',
    )
  })

  test('by keyboard: to the parts beside and below, in, and out again', async () => {
    await stage.go('/usage')
    await part(/^team web:/).focus()
    await stage.page.keyboard.press('ArrowRight')
    assert.match((await focused()) ?? '', /^user ann:/)
    await stage.page.keyboard.press('ArrowDown')
    assert.match((await focused()) ?? '', /^user bob:/)
    await stage.page.keyboard.press('ArrowLeft')
    assert.match((await focused()) ?? '', /^team web:/)
    await stage.page.keyboard.press('Enter')
    await part(/^user ann: \$\d+\.\d\d, 5\d %$/).waitFor()
    assert.match((await focused()) ?? '', /^user ann:/, 'the focus goes along')
    await becomes(() => stage.page.url(), /\?in=web$/)
    await table('user').getByRole('button', { name: 'bob' }).waitFor()
    await stage.page.keyboard.press('Escape')
    await part(/^team web:/).waitFor()
    assert.match((await focused()) ?? '', /^team /)
    await stage.page.goBack()
    await part(/^user ann:/)
      .first()
      .waitFor()
    await becomes(() => stage.page.url(), /\?in=web$/)
  })

  test('what stands for several opens to them, in the drawing and in the table', async () => {
    await stage.go('/usage?in=support')
    await part(/^user \d+ others:/).click()
    await part(/^user trainee-/)
      .first()
      .waitFor()
    await becomes(() => part(/^user dee/).count(), 0)
    await table('user')
      .getByRole('button', { name: /^trainee-/ })
      .first()
      .waitFor()
    await becomes(() => table('user').getByRole('button', { name: 'dee' }).count(), 0)
    await stage.page.getByText('These others together.').waitFor()
    await stage.page
      .getByRole('navigation', { name: 'Parts gone into' })
      .getByRole('button', { name: 'Everything' })
      .click()
    await part(/^team web:/).waitFor()
  })

  test('the table says what the server says, with percentiles and n; its files are the same rows', async () => {
    await stage.go('/usage?measure=tokens')
    await table('team').getByRole('button', { name: 'web' }).waitFor()
    const heads = await table('team').getByRole('columnheader').allTextContents()
    assert.deepEqual(heads, [
      'team',
      'Requests',
      'In',
      'Cache read',
      'Out',
      'Cost',
      'p50 tokens',
      'p95 tokens',
      'p99 tokens',
      'Failed',
      'Refused',
    ])
    const query = '/api/usage?from=2026-10-20&to=2026-11-18&by=team'
    const [web] = (await stage.house.call('GET', query)).json().rows
    const cells = await table('team').getByRole('row').nth(1).getByRole('cell').allTextContents()
    const figure = (value: number): string => Math.round(value).toLocaleString('en')
    assert.deepEqual(
      cells.slice(0, 5),
      ['web', web.requests, web.inputTokens, web.cachedInputTokens, web.outputTokens].map((value) =>
        typeof value === 'number' ? figure(value) : value,
      ),
    )
    assert.deepEqual(
      cells.slice(6, 9),
      [web.tokensPerRequest.p50, web.tokensPerRequest.p95, web.tokensPerRequest.p99].map(figure),
    )
    for (const format of ['csv', 'parquet']) {
      const href = (await stage.page.getByRole('link', { name: new RegExp(format, 'i') }).getAttribute('href')) ?? ''
      assert.equal(href, `/api/usage?from=2026-10-20&to=2026-11-18&by=team&format=${format}`)
      const file = await stage.page.request.get(stage.house.url + href)
      assert.match(file.headers()['content-disposition'] ?? '', new RegExp(`usage-.*\\.${format}`))
    }
  })

  test('what has no price is unknown: in the table, in all, by day; and never part of the drawing', async () => {
    await stage.go('/usage?by=model,team,user,prompt')
    await stage.page.getByText(/\d+ requests have no price\./).waitFor()
    const raw = table('model').getByRole('row').filter({ hasText: 'raw' })
    await raw.getByRole('cell', { name: 'unknown', exact: true }).waitFor()
    await becomes(() => part(/raw/).count(), 0)
    await becomes(() => stage.page.getByLabel('In all').textContent(), /Cost\$\d\d\.\d\d \+ unknown/)
    await stage.page
      .getByRole('button', { name: /^2026-11-\d\d: \$[\d.]+, and \d+ requests of unknown cost$/ })
      .first()
      .waitFor()
    await raw.getByRole('button', { name: 'raw' }).click()
    await stage.page.getByText('Nothing here has a cost').waitFor()
  })

  test('levels change places, the span and the measure stay in the address', async () => {
    await stage.go('/usage')
    await stage.page.getByRole('combobox', { name: 'Level 1' }).selectOption('model')
    await part(/^model chat:/)
      .first()
      .waitFor()
    await becomes(() => stage.page.getByRole('combobox', { name: 'Level 4' }).inputValue(), 'team')
    await stage.page.getByRole('radio', { name: 'requests' }).check({ force: true })
    await stage.page.getByRole('radio', { name: '7 d', exact: true }).check({ force: true })
    await part(/^model chat: [\d,]+, \d+ %$/)
      .first()
      .waitFor()
    await becomes(() => stage.page.url(), /\?days=7&measure=requests&by=model%2Cuser%2Cprompt%2Cteam$/)
    await becomes(() => stage.page.locator('.bars-bar').count(), 7)
    await stage.page.reload()
    await part(/^model chat: [\d,]+, \d+ %$/)
      .first()
      .waitFor()
  })

  test('the days walk by arrow keys', async () => {
    await stage.go('/usage?measure=requests')
    await stage.page.locator('.bars-bar[tabindex="0"]').focus()
    assert.match((await focused()) ?? '', /^2026-11-18: \d+$/)
    await stage.page.keyboard.press('ArrowLeft')
    assert.match((await focused()) ?? '', /^2026-11-17: \d+$/)
    await stage.page.keyboard.press('Home')
    assert.match((await focused()) ?? '', /^2026-10-20: \d+$/)
  })

  test('nothing used yet', async () => {
    await stage.visit((dist) => serveMetered(dist, 'log: { level: error }'))
    await stage.go('/usage?days=7')
    await stage.page.getByRole('heading', { name: 'No request in 7 days' }).waitFor()
    await stage.page.getByRole('link', { name: 'Ask a question' }).waitFor()
  })

  test('from 360 pixels on nothing runs off the side, and every control has a name', async () => {
    for (const [width, colorScheme] of [
      [360, 'dark'],
      [768, 'light'],
      [1920, 'dark'],
    ] as const) {
      await stage.page.setViewportSize({ width, height: 800 })
      await stage.page.emulateMedia({ colorScheme })
      await stage.go('/usage')
      await parts().first().waitFor()
      await stage.page.locator('.bars-bar').first().waitFor()
      assert.equal(await stage.scrollsSideways(), false, `at ${width}`)
    }
    const nameless =
      '[...document.querySelectorAll("button, a[href], input, select, textarea")].filter((one) => !(one.textContent.trim() || one.ariaLabel || one.labels?.length)).map((one) => one.outerHTML)'
    assert.deepEqual(await stage.page.evaluate(nameless), [])
  })
})
