import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { becomes, BROWSER, openMeteredStage } from './console/browser.ts'
import { serveMetered } from './console/metered.ts'

describe('budgets in a browser', BROWSER, () => {
  const stage = openMeteredStage()
  const row = (name: string) =>
    stage.page.getByRole('listitem').filter({ has: stage.page.getByRole('link', { name, exact: true }) })
  const sheet = (name: string) => stage.page.getByRole('dialog', { name, exact: true })

  test('each budget says for whom, how much, over which time, then what; and who has used most', async () => {
    await stage.go('/budgets')
    const users = row('users-month')
    await users.getByRole('meter', { name: 'users-month, ann' }).waitFor()
    const text = (await users.textContent()) ?? ''
    assert.match(text, /^users-montheach user\$20\.00 a monthEurope\/Berlin · then refused/)
    assert.match(text, /ann\d+ %\$\d\.\d\d posted\$0\.85 put aside/)
    const meter = users.getByRole('meter')
    await becomes(() => meter.getAttribute('aria-valuetext'), /^\$\d\.\d\d posted, \$0\.85 put aside, of \$20\.00$/)
    assert.equal(await meter.getAttribute('aria-valuemax'), '20000000000')
    await becomes(() => row('demo').textContent(), /150,000 tokens in any 24 h.*with a warningann114 %171,000 posted/)
    await becomes(() => row('web-day').textContent(), /then small answers instead/)
    await becomes(() => row('each').textContent(), /Checked in each request by itself/)
    await row('pace-concurrent').getByText('Nothing used in this window.').waitFor()
    await stage.page.getByRole('searchbox', { name: 'Find a budget' }).fill('PACE')
    await becomes(() => stage.page.locator('.budget-row').count(), 2)
  })

  test('a budget opens by its address and by keyboard, and going back closes it', async () => {
    await stage.go('/budgets')
    await stage.page.getByRole('link', { name: 'users-month' }).focus()
    await stage.page.keyboard.press('Enter')
    await sheet('users-month')
      .getByRole('img', { name: /^Remaining of \$20\.00\. At this pace/ })
      .waitFor()
    await becomes(() => stage.page.url(), /\/budgets\?budget=users-month$/)
    await stage.page.goBack()
    await sheet('users-month').waitFor({ state: 'detached' })
    await becomes(() => stage.page.url(), /\/budgets$/)
    await stage.page.goForward()
    await sheet('users-month').waitFor()
    await stage.page.keyboard.press('Escape')
    // The dialog is shut before its event says so.
    await stage.page.waitForURL(/\/budgets$/)
    await sheet('users-month').waitFor({ state: 'detached' })
  })

  test('how it stands and where it leads: figures, when it resets, a sentence, a drawing and its table', async () => {
    await stage.go('/budgets?budget=users-month')
    const facts = sheet('users-month').getByLabel('How it stands')
    await facts.waitFor()
    await becomes(
      () => facts.textContent(),
      /Posted\$\d\.\d\dPut aside\$0\.85Left\$\d\d\.\d\dLimit\$20\.00Resets1 Dec, 00:00 in 12 d 8 h/,
    )
    const pace = (await sheet('users-month').locator('.budget-pace').textContent()) ?? ''
    assert.match(
      pace,
      /^At this pace \$\d\.\d\d used by 1 Dec, 00:00; in four of five cases .*\(815 hours of history\)\.$/,
    )
    for (const line of ['steps', 'fan', 'middle', 'limit'])
      await becomes(() => sheet('users-month').locator(`.burndown-${line}`).getAttribute('d'), /^M[\d.]+ [\d.]+[LH]/)
    await sheet('users-month')
      .getByText(/requests of the user "ann".*n = \d+ requests/)
      .waitFor()
    await sheet('users-month').getByRole('radio', { name: 'Table' }).check({ force: true })
    const rows = sheet('users-month')
      .getByRole('region', { name: /^Remaining of/ })
      .getByRole('row')
    await becomes(() => sheet('users-month').getByText('(expected)').count(), 24)
    await becomes(() => rows.nth(1).textContent(), /^1 Nov, \d\d:\d\d\$20\.00––$/)
  })

  test('every subject is found, and shown when chosen, right-to-left names and long ones too', async () => {
    await stage.go('/budgets?budget=users-month')
    const find = sheet('users-month').getByRole('searchbox', { name: 'Find a user' })
    await find.fill('مريم')
    const found = sheet('users-month').locator('.subject').filter({ hasText: 'مريم' })
    await becomes(() => found.count(), 1)
    await found.first().click()
    await sheet('users-month').getByRole('region', { name: 'مريم العبدالله' }).getByText('Posted').waitFor()
    await becomes(() => stage.page.url(), /subject=/)
    await find.fill('nobody-yet')
    await sheet('users-month').getByRole('button', { name: 'Open the account of exactly “nobody-yet”' }).click()
    await sheet('users-month').getByText('Too little history to say: 0 of the 336 hours').waitFor()
  })

  test('raised for a while: refused without a reason, then in force, listed with who and why, and ended', async () => {
    await stage.go('/budgets?budget=users-month&subject=bob')
    await stage.page.getByRole('button', { name: 'Raise for a while…' }).click()
    const form = sheet('Raise for a while')
    await form.getByLabel('New limit').fill('1,075.50')
    await form.getByRole('button', { name: 'Set $1,075.50' }).click()
    await form.getByRole('alert').getByText('Say why').waitFor()
    await form.getByLabel('Why').fill('the launch')
    await form.getByLabel('For').selectOption('3 days')
    await form.getByLabel('Why').press('Enter')
    await form.waitFor({ state: 'detached' })
    await sheet('users-month').getByText('instead of $20.00').waitFor()
    const raised = sheet('users-month')
      .getByRole('region', { name: 'Limits that hold for a while' })
      .getByRole('row')
      .nth(1)
    await becomes(() => raised.textContent(), /^bob\$1,075\.5021 Nov, 15:30 in 3 dthe launchopsEnd now$/)
    const stored = (await stage.house.call('GET', '/api/budgets')).json().overrides[0]
    assert.deepEqual(
      [stored.limit, stored.subject, stored.until],
      [1_075_500_000_000, 'bob', '2026-11-21T14:30:00.000Z'],
    )
    await raised.getByRole('button', { name: 'End the limit of bob' }).click()
    await sheet('End it now?').getByRole('button', { name: 'End now' }).click()
    await raised.waitFor({ state: 'detached' })
    assert.deepEqual((await stage.house.call('GET', '/api/budgets')).json().overrides, [])
  })

  test('an amount that is none, and what the server refuses, stay in the form with the reason', async () => {
    await stage.go('/budgets?budget=web-day')
    await stage.page.getByRole('button', { name: 'Raise for a while…' }).click()
    const form = sheet('Raise for a while')
    await form.getByLabel('New limit').fill('2.5')
    await form.getByLabel('Why').fill('x')
    await form.getByRole('button', { name: 'Set the limit' }).click()
    await form.getByRole('alert').getByText('Write the new limit as a whole number.').waitFor()
    await form.getByLabel('New limit').fill('9999999999999999')
    await form.getByRole('button', { name: /^Set / }).click()
    await form
      .getByRole('alert')
      .getByText(/limit.*is no whole number from 0 to/)
      .waitFor()
  })

  test('reset asks why, and then nothing counts as used', async () => {
    await stage.go('/budgets?budget=demo')
    await stage.page.getByRole('button', { name: 'Reset…' }).click()
    const form = sheet('Begin the period afresh')
    await form.getByText(/171,000 tokens posted in this window will no longer count/).waitFor()
    await form.getByRole('button', { name: 'Reset' }).click()
    await form.getByRole('alert').getByText('Say why').waitFor()
    await form.getByLabel('Why').fill('test runs')
    await form.getByRole('button', { name: 'Reset' }).click()
    await form.waitFor({ state: 'detached' })
    await sheet('demo').getByLabel('How it stands').getByText('150,000').first().waitFor()
    await becomes(() => sheet('demo').getByLabel('How it stands').textContent(), /Posted0Put aside0Left150,000/)
    assert.equal((await stage.house.call('GET', '/api/audit')).json().acts[0].action, 'budget.reset')
  })

  test('no budgets yet: how to declare one', async () => {
    await stage.visit((dist) => serveMetered(dist, 'log: { level: error }'))
    await stage.go('/budgets')
    await stage.page.getByRole('heading', { name: 'No budgets yet' }).waitFor()
    await stage.page.getByText('scope: user, limit: { usd: 50 }').waitFor()
    await stage.page.getByRole('button', { name: 'Copy the example' }).waitFor()
    await stage.page.setViewportSize({ width: 360, height: 700 })
    assert.equal(await stage.scrollsSideways(), false)
  })

  test('thousands of subjects: the first by use, the others by name', async () => {
    await stage.visit(async (dist) => {
      const house = await serveMetered(
        dist,
        'budgets: [{ id: many, scope: user, limit: { tokens: 5000 }, window: day }]',
      )
      for (let user = 0; user < 2_500; user++) await house.stand('many', `user-${String(user).padStart(5, '0')}`, user)
      return house
    })
    await stage.go('/budgets?budget=many')
    await sheet('many').getByText('first 1,000').waitFor()
    await becomes(() => sheet('many').locator('.subject').count(), 50)
    await sheet('many').getByRole('button', { name: 'Show more of 1,000' }).click()
    await becomes(() => sheet('many').locator('.subject').count(), 100)
    await sheet('many').getByRole('searchbox').fill('user-00003')
    await sheet('many')
      .getByRole('button', { name: /exactly “user-00003”/ })
      .click()
    await sheet('many').getByRole('region', { name: 'user-00003', exact: true }).getByText('4,997').waitFor()
  })

  test('a server that refuses or is gone says so, and is asked again', async () => {
    await stage.page.route('**/api/budgets', (route) =>
      route.fulfill({
        status: 503,
        json: {
          error: { message: 'The store does not answer. Retry.', type: 'x', param: null, code: 'store_unavailable' },
        },
      }),
    )
    await stage.go('/budgets')
    await stage.page.getByRole('alert').getByText('The store does not answer.').waitFor()
    await stage.page.unroute('**/api/budgets')
    await stage.page.getByRole('button', { name: 'Try again' }).click()
    await row('users-month').getByRole('meter').waitFor()
  })

  test('from 360 pixels on nothing runs off the side, in light and in dark', async () => {
    for (const [width, colorScheme] of [
      [360, 'light'],
      [768, 'dark'],
      [1920, 'light'],
    ] as const) {
      await stage.page.setViewportSize({ width, height: 800 })
      await stage.page.emulateMedia({ colorScheme })
      await stage.go('/budgets')
      await row('users-month').getByRole('meter').waitFor()
      assert.equal(await stage.scrollsSideways(), false, `list at ${width}`)
      await row('users-month').getByRole('link').click()
      await sheet('users-month').getByRole('img').waitFor()
      assert.equal(await stage.scrollsSideways(), false, `sheet at ${width}`)
      assert.equal(
        await stage.page.evaluate(
          '(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)(document.querySelector(".sheet-body"))',
        ),
        false,
        `within the sheet at ${width}`,
      )
    }
  })
})
