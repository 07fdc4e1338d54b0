import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { becomes, BROWSER, openHouseStage } from './console/browser.ts'
import { serveTraced } from './console/traced.ts'

const FEW_SPANS = 300
const MANY_SPANS = 100_000

describe('traces and home in a browser', BROWSER, () => {
  const stage = openHouseStage(() => serveTraced(FEW_SPANS))
  const region = (name: string) => stage.page.getByRole('region', { name, exact: true })
  const field = () => stage.page.locator('.heatmap-field')
  const inAll = () => region('Latency over time').getByRole('status')

  async function fitsFrom360(ready: () => Promise<void>): Promise<void> {
    for (const [width, colorScheme] of [
      [360, 'dark'],
      [1920, 'light'],
      [1280, 'dark'],
    ] as const) {
      await stage.page.setViewportSize({ width, height: 800 })
      await stage.page.emulateMedia({ colorScheme })
      await ready()
      assert.equal(await stage.scrollsSideways(), false, `at ${width}`)
    }
  }

  test('filters are in the address; a brush takes some out, and says what differs about them', async () => {
    await stage.go('/traces?service=shop')
    await becomes(() => inAll().textContent(), '401 traces')
    await stage.page.getByRole('radio', { name: 'error' }).check({ force: true })
    await becomes(() => stage.page.url(), /\?status=error&service=shop$/)
    await becomes(() => inAll().textContent(), '8 traces')
    await stage.page.getByRole('button', { name: 'Clear' }).click()
    await becomes(() => stage.page.url(), /\/traces$/)
    await stage.page.getByRole('textbox', { name: 'user' }).fill('ada')
    await stage.page.keyboard.press('Enter')
    await becomes(() => inAll().textContent(), '51 traces')
    await stage.go('/traces?service=shop')
    const box = await field().boundingBox()
    assert.ok(box !== null)
    // Above a second: in the upper half of what is drawn.
    await stage.page.mouse.move(box.x + 4, box.y + 4)
    await stage.page.mouse.down()
    await stage.page.mouse.move(box.x + box.width - 4, box.y + box.height / 2 - 4, { steps: 4 })
    await stage.page.mouse.up()
    await becomes(() => stage.page.url(), /&brush=\d+_\d+_[\d.]+_\d+$/)
    const rows = region('What differs').getByRole('row')
    await rows.nth(1).waitFor()
    const told = (await rows.allTextContents()).join('\n')
    assert.match(told, /userada9\d %|userada100 %/, 'who is slow')
    assert.match(told, /modellarge-preview\S+ % \(\d+ of \d+\)0 % \(0 of \d+\)\+\d\S+ \(\+\S+ to \+\S+\)/)
    await stage.page.reload()
    await rows.nth(1).waitFor()
    await stage.page.getByRole('button', { name: 'All again' }).click()
    await becomes(() => inAll().textContent(), '401 traces')
  })

  test('the brush by keyboard alone', async () => {
    await stage.go('/traces?service=shop')
    await field().focus()
    await stage.page.keyboard.press('ArrowRight')
    for (let times = 0; times < 40; times++) await stage.page.keyboard.press('Shift+ArrowRight')
    for (let times = 0; times < 30; times++) await stage.page.keyboard.press('Shift+ArrowUp')
    await stage.page.keyboard.press('Enter')
    await becomes(() => stage.page.url(), /brush=/)
    await region('What differs about these')
      .getByText(/inside against/)
      .waitFor()
    await field().focus()
    await stage.page.keyboard.press('Escape')
    await becomes(() => stage.page.url(), /\?service=shop$/)
    await stage.go('/traces?user=nobody-at-all')
    await stage.page.getByRole('heading', { name: 'No trace fits' }).waitFor()
    await fitsFrom360(async () => {
      await stage.go('/traces')
      await field().waitFor()
    })
  })

  test('one trace: facts, stages and where the answer comes from; and one that there is not', async () => {
    await stage.go(`/traces?trace=${stage.house.requestId}`)
    const facts = stage.page.getByLabel('Facts about the trace')
    await becomes(
      () => facts.textContent(),
      /Statusok.*Tokens in\d+Tokens out\d+.*Modeldocs.*Userada.*Serviceheadworks/,
    )
    await region('Stages')
      .getByRole('button', { name: /^search: / })
      .waitFor()
    await region('Passages that were given')
      .getByRole('row', { name: /keys\.md unchanged/ })
      .waitFor()
    await fitsFrom360(() => region('Stages').waitFor())
    await stage.go(`/traces?trace=${'0'.repeat(32)}`)
    await stage.page.getByRole('alert').getByText('The trace could not be read').waitFor()
  })

  test('a trace of a hundred thousand spans opens and scrolls to its end', async () => {
    await stage.visit(() => serveTraced(MANY_SPANS))
    await stage.go(`/traces?trace=${stage.house.largeId}`)
    const list = stage.page.getByRole('listbox', { name: '100,000 spans by their start' })
    await list.getByRole('option', { name: 'step 5' }).first().waitFor()
    assert.ok((await list.getByRole('option').count()) < 100, 'only what is in sight is drawn')
    await list.focus()
    await stage.page.keyboard.press('End')
    await list.getByRole('option', { name: 'step 99999' }).waitFor()
    await region('Spans').locator('.waterfall-detail').getByText('step 99999').waitFor()
    await stage.page.keyboard.press('Home')
    await list.getByRole('option', { name: /^crawl/ }).waitFor()
  })

  test('home: the last day in figures with n, budgets, alerts, freshness; asking is one click away', async () => {
    await stage.go('/home')
    const figures = stage.page.getByLabel('The last day in figures')
    await becomes(
      () => figures.textContent(),
      /^Requests1Failed0of 1, 0 %Refused0Cost\$0.*Totalp50 [\d.]+ m?s ?p95 .*p99 .*n 1First tokenp50/,
    )
    await stage.page
      .getByRole('list', { name: 'Total time by hour' })
      .getByRole('button', { name: /p50 [\d.]+ m?s, p95 [\d.]+ m?s, p99 [\d.]+ m?s, n 1$/ })
      .waitFor()
    await region('Collections').getByRole('link', { name: 'handbook' }).waitFor()
    await region('Open alerts').getByText('None: nothing needs a look.').waitFor()
    await region('Budgets')
      .getByText(/Nothing is used|house/)
      .waitFor()
    await fitsFrom360(() => figures.waitFor())
    await stage.page.getByRole('link', { name: 'Ask a question' }).click()
    await stage.page.getByRole('textbox', { name: 'Question' }).waitFor()
  })
})
