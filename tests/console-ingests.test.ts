import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { becomes, BROWSER, openHouseStage } from './console/browser.ts'
import { serveHandbook, serveLibrary } from './console/library.ts'

describe('ingest runs in a browser', BROWSER, () => {
  const stage = openHouseStage(serveHandbook)
  const runs = () => stage.page.locator('.run')

  test('a run says how far it is and what became of its files; its sheet groups failures by reason', async () => {
    await stage.go('/ingests')
    await becomes(() => runs().count(), 1)
    const bar = runs().getByRole('progressbar', { name: 'Run into handbook' })
    await becomes(() => bar.getAttribute('aria-valuetext'), '100 %: 4 read, 1 failed')
    await becomes(() => runs().textContent(), /^handbook.*4 read, 1 faileddone, with failures/)
    await stage.page.getByRole('link', { name: /^handbook, / }).focus()
    await stage.page.keyboard.press('Enter')
    const sheet = stage.page.getByRole('dialog', { name: 'handbook' })
    await becomes(() => sheet.getByLabel('Files').textContent(), /^Found5Read4Unchanged0Failed1Removed0Ignored0/)
    await becomes(
      () => sheet.getByRole('region', { name: 'Failures' }).textContent(),
      /^Failures by reason 1document_unreadable 1.*report\.pdf/,
    )
    await stage.page.keyboard.press('Escape')
    await stage.page.waitForURL(/\/ingests$/)
  })

  test('a run is started from its form, which says what is missing, and is followed to its end', async () => {
    await stage.go('/ingests')
    const { page } = stage
    await page.getByRole('button', { name: 'Start a run…' }).click()
    const form = page.getByRole('dialog', { name: 'Start a run' })
    await form.getByRole('button', { name: 'Start', exact: true }).click()
    await becomes(() => form.getByRole('alert').textContent(), 'Name the collection.')
    await form.getByRole('textbox', { name: 'Collection' }).fill('Bad Name')
    await form.getByRole('textbox', { name: 'Path' }).fill('docs')
    await form.getByRole('button', { name: 'Start', exact: true }).click()
    await becomes(() => form.getByRole('alert').textContent(), /^Write the whole path/)
    await form.getByRole('textbox', { name: 'Path' }).fill(stage.house.folder)
    await form.getByRole('button', { name: 'Start', exact: true }).click()
    await becomes(() => form.getByRole('alert').textContent(), /collection/)
    await form.getByRole('textbox', { name: 'Collection' }).fill('second')
    await form.getByRole('button', { name: 'Start', exact: true }).click()
    await form.waitFor({ state: 'detached' })
    await becomes(() => runs().first().textContent(), /^second.*4 read, 1 faileddone, with failures/)
  })

  test('configured sources are read again from the collection, and runs of one collection are shown', async () => {
    await stage.go('/collections?collection=handbook')
    await stage.page.getByRole('button', { name: 'Ingest again…' }).click()
    await stage.page.getByRole('dialog').getByRole('button', { name: 'Read again', exact: true }).click()
    await becomes(() => stage.page.url(), /\/ingests\?collection=handbook$/)
    await becomes(() => runs().count(), 2)
    await becomes(() => runs().first().textContent(), /1 read, 3 unchanged, 1 failed/)
    await stage.go('/ingests?collection=nowhere')
    await stage.page.getByRole('heading', { name: 'No runs into nowhere' }).waitFor()
  })

  test('nothing runs off the side, and a house without runs says how to start one', async () => {
    await stage.page.setViewportSize({ width: 360, height: 700 })
    await stage.go('/ingests')
    await runs().first().waitFor()
    assert.equal(await stage.scrollsSideways(), false)
    await stage.visit(serveLibrary)
    await stage.go('/ingests')
    await stage.page.getByRole('heading', { name: 'No runs yet' }).waitFor()
  })
})
