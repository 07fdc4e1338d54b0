import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { becomes, BROWSER, openMeteredStage } from './console/browser.ts'

describe('keys, the record and alerts in a browser', BROWSER, () => {
  const stage = openMeteredStage()
  const row = (name: string) =>
    stage.page.locator('.key-row').filter({ has: stage.page.getByText(name, { exact: true }) })
  const sheet = (name: string) => stage.page.getByRole('dialog', { name, exact: true })
  const make = (body: object) => stage.house.call('POST', '/api/keys', body)
  const opens = async (text: string): Promise<boolean> => {
    const response = await fetch(`${stage.house.url}/api/session`, { headers: { authorization: `Bearer ${text}` } })
    return response.status === 200
  }

  test('a key is made: its text is shown once, copied, and opens', async () => {
    await stage.page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
    await stage.go('/keys')
    await stage.page.getByRole('button', { name: 'New key' }).click()
    const form = sheet('New key')
    await form.getByRole('button', { name: 'Make the key' }).click()
    await form.getByRole('alert').getByText('Say who or what it is for.').waitFor()
    await form.getByLabel('Name', { exact: true }).fill('web')
    await form.getByLabel('Expires').selectOption('in 30 days')
    await form.getByLabel('Team').fill('shop')
    await form.getByLabel('Tags', { exact: true }).fill('eu, prod,eu')
    await form.getByLabel('Models').fill('chat, docs*')
    await form.getByLabel('Budgets').fill('10 dollars')
    await form.getByRole('button', { name: 'Make the key' }).click()
    await form.getByRole('alert').getByText('Write budgets as').waitFor()
    await form.getByLabel('Budgets').fill('usd=10/month')
    await form.getByText('What its requests may name themselves').click()
    await form.getByLabel('prompt named').selectOption('taken at its word')
    await form.getByRole('button', { name: 'Make the key' }).click()
    const made = sheet('The key of web')
    await made.getByText('Copy it now.').waitFor()
    const text = (await made.locator('code').textContent()) ?? ''
    assert.match(text, /^hw_[0-9a-z]{20,}$/)
    await made.getByRole('button', { name: 'Copy the key' }).click()
    await made.getByText('Copied').waitFor()
    assert.equal(await stage.page.evaluate('navigator.clipboard.readText()'), text)
    assert.equal(await opens(text), true)
    await made.getByRole('button', { name: 'I have it' }).click()
    const bound = (await row('web').textContent()) ?? ''
    assert.match(bound, /teamshoptagseu, prodmodelschat, docs\*budgets\$10\.00 a monthmay nameprompt/)
    assert.match(bound, /activeexpires 18 Dec, 15:30 \(in 30 d\)/)
    assert.doesNotMatch((await stage.page.content()) ?? '', new RegExp(text), 'it is to be had no more')
  })

  test('what a key cannot be is refused in the form', async () => {
    await stage.go('/keys')
    await stage.page.getByRole('button', { name: 'New key' }).click()
    await sheet('New key').getByLabel('Name', { exact: true }).fill('web')
    await sheet('New key').getByLabel('Tags', { exact: true }).fill('a tag')
    await stage.page.keyboard.press('Enter')
    await sheet('New key')
      .getByRole('alert')
      .getByText(/tags.*must be a list of at most/)
      .waitFor()
  })

  test('rotated with grace: a new text, and the old one for an hour', async () => {
    const { key } = (await make({ name: 'job' })).json()
    await stage.go('/keys')
    await row('job').getByRole('button', { name: 'Rotate job' }).click()
    await sheet('Rotate the key').getByLabel('The old text ends').selectOption('in 24 hours')
    await sheet('Rotate the key').getByRole('button', { name: 'Rotate' }).click()
    const fresh = (await sheet('The new text of job').locator('code').textContent()) ?? ''
    assert.notEqual(fresh, key)
    assert.deepEqual([await opens(fresh), await opens(key)], [true, true])
    await stage.page.keyboard.press('Escape')
    await row('job').getByText('the old text until 19 Nov, 15:30').waitFor()
  })

  test('revoked once confirmed; it is then found among all keys', async () => {
    const { key } = (await make({ name: 'laptop' })).json()
    await stage.go('/keys')
    await row('laptop').getByRole('button', { name: 'Revoke laptop' }).click()
    await sheet('Revoke the key?').getByRole('button', { name: 'Cancel' }).click()
    assert.equal(await opens(key), true)
    await row('laptop').getByRole('button', { name: 'Revoke laptop' }).click()
    await sheet('Revoke the key?').getByRole('button', { name: 'Revoke' }).click()
    await row('laptop').waitFor({ state: 'detached' })
    assert.equal(await opens(key), false)
    await stage.page.getByRole('radio', { name: 'all', exact: true }).check({ force: true })
    await row('laptop').getByText('revoked').waitFor()
    assert.equal(
      await row('laptop')
        .getByRole('button', { name: /Revoke|Rotate/ })
        .count(),
      0,
    )
  })

  test('a key is found by what it is bound to', async () => {
    await make({ name: 'one', team: 'shop' })
    await make({ name: 'two', models: ['chat'] })
    await stage.go('/keys')
    await row('two').waitFor()
    await stage.page.getByRole('searchbox', { name: 'Find a key' }).fill('SHOP')
    await row('two').waitFor({ state: 'detached' })
    await becomes(() => stage.page.locator('.key-row').count(), 1)
    await stage.page.getByRole('searchbox', { name: 'Find a key' }).fill('none such')
    await stage.page.getByText('No key fits “none such”.').waitFor()
  })

  test('the record: who did what, why, and what came of it, page by page', async () => {
    const raise = { subject: 'ann', limit: '25', until: '2026-11-20T00:00:00Z', reason: 'a demo' }
    await stage.house.call('POST', '/api/budgets/users-month/overrides', raise)
    for (let at = 0; at < 60; at++) {
      stage.house.clock.advance(1_000)
      await make({ name: `key ${at}` })
    }
    await stage.go('/record')
    const rows = stage.page.getByRole('list', { name: 'Record' }).getByRole('listitem')
    await rows.nth(49).waitFor()
    await becomes(() => rows.count(), 50)
    await becomes(() => rows.first().textContent(), /^key\.create key 59role userops18 Nov, 15:31 /)
    await stage.page.getByRole('button', { name: 'Show earlier' }).click()
    await rows.filter({ hasText: 'budget.override' }).waitFor()
    await becomes(
      () => rows.filter({ hasText: 'budget.override' }).textContent(),
      /^budget.override users-month“a demo” · subject ann · limit \$25\.00 · from .* · until 20 Nov, 01:00/,
    )
    await stage.page.getByRole('button', { name: 'Show earlier' }).waitFor({ state: 'detached' })
  })

  test('the bell counts alerts that nobody has seen, and shows their evidence', async () => {
    await stage.house.alerts.raise({
      kind: 'usage_anomaly',
      subject: { prompt: 'summary' },
      key: 'x',
      step: '1',
      evidence: {
        measure: 'tokensPerRequest',
        since: '2026-11-18T11:00:00Z',
        before: { n: 412, p50: 6100, p95: 9900 },
        after: { n: 37, p50: 18_800, p95: 30_100 },
        ratio: { p50: { value: 3.08, low: 2.7, high: 3.4 }, p95: { value: 3.04, low: 2.2, high: 4.1 } },
        examples: [],
      },
    })
    await stage.go('/')
    await stage.page.getByRole('button', { name: '1 new alert' }).click()
    const card = sheet('Alerts').getByRole('article')
    await card.getByRole('heading', { name: 'Requests of prompt summary take 3.08 times the tokens' }).waitFor()
    await card.getByText('p50 18,800 tokens, p95 30,100 tokens (n 37)').waitFor()
    await card.getByRole('button', { name: 'I have seen it' }).click()
    await card.getByText('seen by ops').waitFor()
    await stage.page.keyboard.press('Escape')
    await stage.page.getByRole('button', { name: 'Alerts', exact: true }).waitFor()
  })

  test('who is no administrator sees only the questions', async () => {
    const { key } = (await make({ name: 'app' })).json()
    const headers = { origin: stage.house.url }
    await stage.page.context().clearCookies()
    await stage.page.request.post(`${stage.house.url}/api/session`, { data: { key }, headers })
    await stage.go('/keys')
    await stage.page.getByRole('heading', { name: 'For administrators' }).waitFor()
    assert.deepEqual(
      await stage.page.getByRole('navigation', { name: 'Screens' }).getByRole('link').allTextContents(),
      ['Ask'],
    )
    await becomes(() => stage.page.getByRole('button', { name: /alert/i }).count(), 0)
  })

  test('from 360 pixels on nothing runs off the side, whatever keys are called', async () => {
    await make({ name: `a key of ${'long'.repeat(20)}`, user: 'x'.repeat(200), models: ['m'.repeat(200)] })
    await make({ name: 'مفتاح الاختبار', tags: ['العربية'] })
    for (const [width, colorScheme] of [
      [360, 'light'],
      [768, 'dark'],
      [1280, 'light'],
    ] as const) {
      await stage.page.setViewportSize({ width, height: 800 })
      await stage.page.emulateMedia({ colorScheme })
      for (const path of ['/keys', '/record']) {
        await stage.go(path)
        await stage.page.getByText('مفتاح الاختبار').first().waitFor()
        assert.equal(await stage.scrollsSideways(), false, `${path} at ${width}`)
      }
      await stage.go('/keys')
      await stage.page.getByRole('button', { name: 'New key' }).click()
      await sheet('New key').getByLabel('Name', { exact: true }).waitFor()
      assert.equal(await stage.scrollsSideways(), false, `the form at ${width}`)
    }
  })
})
