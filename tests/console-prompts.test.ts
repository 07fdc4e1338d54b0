import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { becomes, BROWSER, openHouseStage } from './console/browser.ts'
import { serveMetered } from './console/metered.ts'
import { servePrompted } from './console/prompted.ts'

describe('prompts in a browser', BROWSER, () => {
  const stage = openHouseStage(servePrompted)
  const region = (name: string) => stage.page.getByRole('region', { name, exact: true })
  const changes = (from: number, to: number) => region(`From version ${from} to ${to}`)

  test('the list names labels; a prompt names its versions with what they cost and take, and n', async () => {
    await stage.go('/prompts')
    await stage.page.getByRole('row', { name: /^support 3 canary 3 ?production 2$/ }).waitFor()
    await stage.page.getByRole('link', { name: 'support' }).click()
    await becomes(() => stage.page.url(), /\/prompts\?prompt=support$/)
    const second = region('Versions').getByRole('row').nth(2)
    await second.getByText('refunds are for people').waitFor()
    const usage = (await stage.house.call('GET', '/api/usage?by=prompt')).json()
    const row = usage.rows.find(({ prompt }: { prompt: string }) => prompt === 'support@2')
    assert.equal(row.requests, 80)
    await becomes(() => second.getByRole('cell').nth(3).textContent(), String(row.requests))
    await becomes(
      () => second.getByRole('cell').nth(5).textContent(),
      new RegExp(`^\\$0\\.00\\d\\d / \\$0\\.00\\d\\dn ${row.costNanoUsdPerRequest.n}$`),
    )
    await becomes(() => second.getByRole('cell').nth(7).textContent(), /^\d\S* m?s \/ [\d.]+ sn \d+$/)
  })

  test('what changed: side by side, unified, and the text; the address says which', async () => {
    await stage.go('/prompts?prompt=support')
    await changes(2, 3).waitFor()
    const added = changes(2, 3).locator('[data-kind="added"]')
    const removed = changes(2, 3).locator('[data-kind="removed"]')
    assert.match((await added.textContent()) ?? '', /Answer in two sentences at most\.$/)
    assert.match((await removed.textContent()) ?? '', /Never promise a refund\.$/)
    const box = await added.boundingBox()
    const other = await removed.boundingBox()
    assert.ok(box !== null && other !== null && box.y === other.y && box.x > other.x, 'beside each other')
    await stage.page.getByRole('radio', { name: 'Unified' }).check({ force: true })
    await becomes(() => stage.page.url(), /view=unified/)
    await changes(2, 3).locator('tr[data-kind="added"]').waitFor()
    await stage.page.getByRole('combobox', { name: 'From' }).selectOption('1')
    await changes(1, 3).waitFor()
    await stage.page.goBack()
    await changes(2, 3).waitFor()
    await stage.page.getByRole('radio', { name: 'Text' }).check({ force: true })
    await region('What it says').getByText('Answer in two sentences at most.').waitFor()
    await stage.go('/prompts?prompt=support&from=2&to=2')
    await stage.page.getByText('Versions 2 and 2 say the same.').waitFor()
  })

  test('a label is turned with a reason, rolled back, and remembers both', async () => {
    await stage.go('/prompts?prompt=support')
    const labels = region('Labels')
    await labels.getByRole('button', { name: 'Turn production' }).click()
    const form = stage.page.getByRole('dialog', { name: 'Turn production' })
    await form.getByRole('combobox', { name: 'Version' }).selectOption('3')
    await form.getByRole('button', { name: 'Point production at 3' }).click()
    await form.getByRole('alert').getByText('is protected').waitFor()
    await form.getByRole('textbox', { name: 'Reason' }).fill('shorter answers')
    await form.getByRole('button', { name: 'Point production at 3' }).click()
    await form.waitFor({ state: 'detached' })
    await labels.getByText('production is version 3').waitFor()
    await labels.getByRole('button', { name: 'Roll production back' }).click()
    const back = stage.page.getByRole('dialog', { name: 'Roll production back' })
    await back.getByText('version 2 in place of 3').waitFor()
    await back.getByRole('textbox', { name: 'Reason' }).fill('they were too short')
    await back.getByRole('button', { name: 'Roll back' }).click()
    await back.waitFor({ state: 'detached' })
    await labels.getByText('production is version 2').waitFor()
    await labels.getByRole('button', { name: 'History of production' }).click()
    const rows = stage.page.getByRole('region', { name: 'Turns of production' }).getByRole('row')
    await becomes(() => rows.count(), 5)
    const told = await rows.allTextContents()
    assert.match(told.slice(1).join('\n'), /^2.*ops.*short\n3.*shorter answers\n2.*reviewed by Ann\n1.*all there is$/)
  })

  test('a label that is new; a name that is none is refused before it is sent', async () => {
    await stage.go('/prompts?prompt=summary')
    await stage.page.getByText('Say it in one line.').waitFor()
    await region('Labels').getByRole('button', { name: 'Set a label' }).click()
    const form = stage.page.getByRole('dialog', { name: 'Set a label' })
    await form.getByRole('textbox', { name: 'Label' }).fill('Not A Label')
    await stage.page.keyboard.press('Enter')
    await form.getByRole('alert').getByText('A label begins with a letter').waitFor()
    await form.getByRole('textbox', { name: 'Label' }).fill('staging')
    await form.getByRole('button', { name: 'Point staging at 1' }).click()
    await region('Labels').getByText('staging is version 1').waitFor()
  })

  test('no prompts yet, and one that there is not', async () => {
    await stage.go('/prompts?prompt=nobody')
    await stage.page.getByRole('alert').getByText('The prompt could not be read').waitFor()
    await stage.visit((dist) => serveMetered(dist, 'log: { level: error }'))
    await stage.go('/prompts')
    await stage.page.getByRole('heading', { name: 'No prompts yet' }).waitFor()
  })

  test('from 360 pixels on nothing runs off the side', async () => {
    for (const [width, colorScheme] of [
      [360, 'dark'],
      [1280, 'light'],
      [1920, 'dark'],
    ] as const) {
      await stage.page.setViewportSize({ width, height: 800 })
      await stage.page.emulateMedia({ colorScheme })
      await stage.go('/prompts?prompt=support')
      await changes(2, 3).waitFor()
      assert.equal(await stage.scrollsSideways(), false, `at ${width}`)
    }
  })
})
