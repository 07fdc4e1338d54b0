import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { becomes, BROWSER, openHouseStage } from './console/browser.ts'
import { serveHandbook, serveLibrary } from './console/library.ts'

describe('collections in a browser', BROWSER, () => {
  const stage = openHouseStage(serveHandbook)
  const part = (name: string) => stage.page.getByRole('region', { name, exact: true })

  test('the list says what each holds, how it is embedded and how well it answers, and leads to one', async () => {
    await stage.go('/collections')
    const row = stage.page.getByRole('listitem').filter({ has: stage.page.getByRole('link', { name: 'handbook' }) })
    const recall = row.getByRole('meter', { name: /^Recall of handbook, no filter/ })
    await becomes(() => recall.getAttribute('aria-valuetext'), '0.998 (0.979 to 1.000, n = 212), target 0.95')
    await becomes(
      () => row.textContent(),
      /^handbookwords alone, no vectors3 documents3 passages.*searchable after 2\.4\d sp95, n = 4 · answers from all of it$/,
    )
    await stage.page.getByRole('link', { name: 'handbook' }).focus()
    await stage.page.keyboard.press('Enter')
    await becomes(() => stage.page.url(), /\/collections\?collection=handbook$/)
    await stage.page.getByRole('heading', { name: 'Collections / handbook' }).waitFor()
    await stage.page.goBack()
    await row.waitFor()
  })

  test('targets stand beside what was measured, with intervals and n; what was not measured says so', async () => {
    await stage.go('/collections?collection=handbook')
    const rows = part('Targets and measurements').locator('.target')
    await becomes(() => rows.nth(0).textContent(), /n = 212\)met$/)
    await becomes(() => rows.nth(1).textContent(), /0\.8\d\d \(0\.\d+ to 0\.\d+, n = 80\)missed$/)
    await becomes(() => rows.nth(2).textContent(), /nothing measured \(n = 0\)$/)
    const whole = stage.page.getByRole('meter', { name: 'Completeness' })
    assert.equal(await whole.getAttribute('aria-valuetext'), '3 of 3 passages answer')
    await becomes(() => part('Segments').textContent(), /25 % of what is indexed is removed/)
    await becomes(() => part('Sources').textContent(), /trusted.*after 2 failures.*sitemap.*untrusted.*when asked/)
  })

  test('what could not be read is listed with its reason, and read again', async () => {
    await stage.go('/collections?collection=handbook')
    await becomes(() => part('Dead letters').textContent(), /report\.pdf.*document_unreadable · tried once/)
    await part('Dead letters')
      .getByRole('button', { name: /^Read .*report\.pdf again$/ })
      .click()
    await becomes(() => stage.page.url(), /\/ingests\?collection=handbook$/)
    await becomes(() => stage.page.locator('.run').count(), 2)
    const { deadLetters } = (await stage.house.call('GET', '/api/collections/handbook/dead-letters')) as {
      deadLetters: { attempts: number }[]
    }
    assert.ok((deadLetters[0]?.attempts ?? 0) >= 1)
  })

  test('a deletion has a receipt that says where it is gone from and what could not be erased', async () => {
    await stage.go('/collections?collection=handbook')
    const receipt = part('Deletion receipts').getByRole('listitem').first()
    await becomes(
      () => receipt.textContent(),
      /engines\.md.*not all gone yet.*full text: gone.*files of the index: not/,
    )
    await receipt.getByText(/^What could not be erased/).click()
    await receipt.getByText('Copies of the data folder made before the deletion still hold it.').waitFor()
  })

  test('a generation is made, compared by rank, activated and rolled back', async () => {
    stage.house.choose('e5')
    await stage.go('/collections?collection=handbook')
    const { page } = stage
    await part('Generations').getByRole('button', { name: 'New generation…' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Build it' }).click()
    await stage.house.generationsIdle()
    await part('Generations').getByRole('link', { name: 'Compare…' }).click()
    await becomes(() => page.url(), /compare=g2$/)
    const sheet = page.getByRole('dialog', { name: 'g1 and g2' })
    await sheet.getByRole('textbox', { name: 'Questions' }).fill('revoked keys\n\nengines and budgets of each user')
    await sheet.getByRole('button', { name: 'Compare' }).click()
    const facts = sheet.getByLabel('What changed').first()
    await becomes(() => facts.textContent(), /Questions2.*Overlap(0|1)\.\d{3} n = 2Changed\d.*95 % interval/)
    await page.keyboard.press('Escape')
    await page.waitForURL(/collection=handbook$/)
    await part('Generations').getByRole('button', { name: 'Activate…' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Activate g2' }).click()
    await becomes(() => part('Generations').locator('.generation').nth(1).textContent(), /^g2answerse5/)
    await part('Generations').getByRole('button', { name: 'Roll back…' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Roll back', exact: true }).click()
    await becomes(() => part('Generations').locator('.generation').nth(0).textContent(), /^g1answers/)
  })

  test('a collection that is not there says so, and an empty house how to fill it', async () => {
    await stage.go('/collections?collection=nowhere')
    await becomes(
      () => stage.page.getByRole('alert').textContent(),
      /^The collection could not be read.*collection_unknown/,
    )
    await stage.visit(serveLibrary)
    await stage.go('/collections')
    await stage.page.getByText('npx headworks ingest handbook ./docs').waitFor()
  })

  for (const width of [360, 1920])
    test(`nothing runs off the side at ${width} pixels`, async () => {
      await stage.page.setViewportSize({ width, height: 800 })
      for (const path of ['/collections', '/collections?collection=handbook']) {
        await stage.go(path)
        await stage.page.getByRole('meter').first().waitFor()
        assert.equal(await stage.scrollsSideways(), false)
      }
    })
})
