// Looks at every page of the built book in Chromium, and fails with page, rule and element.
//
//   apt-get install --yes chromium-headless-shell npm hunspell hunspell-en-gb && npm install --prefix .ci
//   cargo xtask book --static && node .ci/book-quality.mjs [FOLDER OF PAGES] [PAGE…]
//
// In light and in dark: axe-core (contrast, names, alternatives, order of headings). At the width of a
// phone: nothing scrolls sideways. On paper: nothing is cut off. Every word is British English or stands in words.txt. And what the book's
// script adds works by keyboard, is remembered, and is missed by nobody who has no JavaScript.
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { launch } from './browser.mjs';

const [folder = 'book/book', ...only] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const url = page => pathToFileURL(resolve(join(folder, page))).href;
// toc.html is a frame of each page, index.html the first chapter again.
const pages = readdirSync(folder, { recursive: true })
    .map(name => name.replaceAll('\\', '/'))
    .filter(name => name.endsWith('.html') && !['toc.html', 'index.html', 'open.html'].includes(name))
    .filter(name => only.length === 0 || only.includes(name));
if (pages.length === 0) {
    throw new Error(`no pages in ${folder}: run \`cargo xtask book --static\` first`);
}

// All chapters on one page, for paper.
const whole = 'print.html';
// How many elements are shown for each rule that a page breaks.
const SHOWN = 3;
const findings = [];
function find(page, what) {
    findings.push(page);
    console.log(`${page}: ${what}`);
}
const browser = await launch();

const [WIDTH, HEIGHT] = [1200, 900];

async function open(page, { theme = 'light', javaScriptEnabled = true } = {}) {
    const context = await browser.newContext({ viewport: { width: WIDTH, height: HEIGHT }, javaScriptEnabled });
    const tab = await context.newPage();
    if (javaScriptEnabled) {
        await tab.addInitScript(theme => {
            localStorage.setItem('mdbook-theme', theme);
            localStorage.setItem('mdbook-sidebar', 'hidden');
            window.print = () => {};
        }, theme);
    }
    tab.on('pageerror', error => find(page, `script error: ${error.message}`));
    tab.on('request', request => {
        if (!/^(file|data|blob):/.test(request.url())) {
            find(page, `asks the network for ${request.url()}`);
        }
    });
    await tab.goto(url(page));
    return tab;
}

// Waits until the toys have their tables.
async function alive(tab) {
    for (const toy of await tab.locator('.toy').all()) {
        await toy.scrollIntoViewIfNeeded();
        await toy.and(tab.locator('[role=group]')).waitFor();
    }
}

// Reads the page, holds it at the width of a phone and on paper, and asks axe, in light and in dark.
async function looked(page) {
    const tab = await open(page);
    if (page !== whole) {
        await spelled(page, tab);
    }
    await narrow(page, tab);
    await printed(page, tab);
    await accessible(page, tab, 'light');
    await tab.context().close();
    const dark = await open(page, { theme: 'navy' });
    await accessible(page, dark, 'navy');
    await dark.context().close();
}

async function accessible(page, tab, theme) {
    // What is folded is looked at, too.
    await tab.evaluate(() => document.querySelectorAll('details').forEach(fold => { fold.open = true; }));
    await alive(tab);
    await tab.waitForFunction(() => [...document.querySelectorAll('.knobs')].every(knobs => knobs.querySelector('.reproduce')));
    await tab.evaluate(() => new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn))));
    await tab.evaluate(axe);
    const { violations } = await tab.evaluate(() => window.axe.run(
        // The menu bar is mdBook's own, with roles of its own.
        { exclude: ['#mdbook-menu-bar'] },
        {
            resultTypes: ['violations'],
            // The corner of a table with headings on two sides is empty by right.
            rules: { 'empty-table-header': { enabled: false } },
        },
    ));
    for (const { id, help, nodes } of violations) {
        for (const { html, target } of nodes.slice(0, SHOWN)) {
            find(page, `${theme}: ${id} (${help}): ${target.join(' ')}: ${html.slice(0, 120)}`);
        }
        if (nodes.length > SHOWN) {
            find(page, `${theme}: ${id}: ${nodes.length - SHOWN} more`);
        }
    }
}

const names = new Set(readFileSync(new URL('words.txt', import.meta.url), 'utf8').split('\n'));

async function spelled(page, tab) {
    const prose = await tab.evaluate(() => {
        const main = document.querySelector('main').cloneNode(true);
        main.querySelectorAll('code, pre').forEach(code => code.replaceWith(' '));
        // What two elements hold are two words: cells of a table, say.
        main.querySelectorAll('*').forEach(element => element.append(' '));
        return main.textContent.replaceAll('’', "'").replace(/'s\b/g, '');
    });
    const { stdout, error } = spawnSync('hunspell', ['-d', 'en_GB', '-l'], { input: prose, encoding: 'utf8' });
    if (error) {
        throw new Error(`hunspell does not run: ${error.message}`);
    }
    // Formulas, and names such as GameDay and JoinHandle, are no words.
    const isWord = word => /^\p{L}+$/u.test(word) && !/[ⁿʳλ]|\p{Ll}\p{Lu}/u.test(word);
    const unknown = stdout.split('\n').filter(word => isWord(word) && !names.has(word));
    for (const word of new Set(unknown)) {
        find(page, `no word of British English: ${word} (if it is right, add it to .ci/words.txt)`);
    }
}

async function narrow(page, tab) {
    await tab.setViewportSize({ width: 360, height: HEIGHT });
    const wide = await tab.evaluate(() => {
        const width = document.documentElement.clientWidth;
        // Code and tables scroll in a box of their own.
        const boxed = element => element.tagName !== 'MAIN'
            && (getComputedStyle(element).overflowX !== 'visible' || boxed(element.parentElement));
        return [...document.querySelectorAll('main *')]
            .filter(element => element.getBoundingClientRect().right > width + 1 && !boxed(element.parentElement))
            .map(element => element.outerHTML.slice(0, 120));
    });
    for (const element of wide.slice(0, 3)) {
        find(page, `is wider than a phone of 360 pixels: ${element}`);
    }
}

// A sheet of A4, less its margins. Paper doesn't scroll: what is wider is lost.
async function printed(page, tab) {
    await tab.setViewportSize({ width: 717, height: HEIGHT });
    await tab.emulateMedia({ media: 'print' });
    for (const part of await tab.locator('.covered').all()) {
        if (await part.evaluate(part => !part.firstElementChild.checkVisibility())) {
            find(page, 'a part stays covered on paper');
        }
    }
    const cut = await tab.evaluate(() => [...document.querySelectorAll('main :is(table, pre, svg)')]
        .filter(element => element.getBoundingClientRect().right > innerWidth + 1)
        .map(element => element.textContent.trim().slice(0, 80)));
    for (const element of cut.slice(0, SHOWN)) {
        find(page, `is wider than paper: ${element}`);
    }
    await tab.emulateMedia({ media: 'screen' });
    await tab.setViewportSize({ width: WIDTH, height: HEIGHT });
}

// Whether what is done is so after a reload. The browser writes what it stores a moment later, on a busy machine
// more than one, and a page that is loaded again before has lost it: so it is done again, with more time each time.
async function afterReload(tab, act, isSo) {
    for (let tries = 1; tries <= 5; tries += 1) {
        await act();
        await tab.waitForTimeout(300 * tries);
        await tab.reload();
        if (await isSo()) {
            return true;
        }
    }
    return false;
}

// Everything that can be asked is asked by keyboard, and asked again after a reload.
async function remembered(page) {
    const tab = await open(page);
    const expect = (isSo, what) => isSo || find(page, what);
    const answers = tab.locator('details.answer > summary');
    if (await answers.count() > 0) {
        const open = async () => {
            await answers.first().focus();
            await tab.keyboard.press('Enter');
        };
        const isOpen = () => tab.locator('details.answer').first().evaluate(fold => fold.open);
        expect(await afterReload(tab, open, isOpen), 'an answer that the Enter key opened is closed after a reload');
    }
    const choices = tab.locator('.choices input');
    const predictions = await tab.locator('main blockquote:has(li)', { hasText: /Predict\.|Check\./ }).count();
    const groups = await tab.locator('.choices').count();
    expect(groups === predictions, `${predictions} questions, but ${groups} with choices: list them as \`> - (a) …\``);
    if (groups > 0) {
        const choose = async () => {
            await choices.first().focus();
            await tab.keyboard.press('Space');
            await tab.keyboard.press('ArrowRight');
            expect(tab.url() === url(page), 'an arrow key in a prediction turns the page');
        };
        expect(await afterReload(tab, choose, () => choices.nth(1).isChecked()), 'a prediction is forgotten after a reload');
        const told = await tab.locator('main blockquote:has(.choices) [role=status]').allInnerTexts();
        expect(told.length === groups, `${groups} questions, but ${told.length} with an answer: begin the answer below as "(b) …"`);
        expect(/^\(b\) is right\.$|^You chose \(b\); the (run says|answer is) \([a-z]\)\.$/.test(told[0]), `a prediction is answered: "${told[0]}"`);
    }
    const fields = tab.locator('form.sheet :is(input, textarea)');
    if (await fields.count() > 0) {
        const write = async () => {
            for (let number = 0; number < await fields.count(); number += 1) {
                await fields.nth(number).fill(`answer ${number}`);
            }
            await fields.last().press('ArrowLeft');
            expect(tab.url() === url(page), 'an arrow key in the sheet turns the page');
        };
        const values = () => fields.evaluateAll(fields => fields.map(field => field.value));
        const isKept = async () => (await values()).every((value, number) => value === `answer ${number}`);
        expect(await afterReload(tab, write, isKept), `the sheet is not remembered: ${await values()}`);
        const clear = () => tab.locator('form.sheet button').click();
        expect(await afterReload(tab, clear, async () => await fields.first().inputValue() === ''), 'the sheet that was cleared comes back');
    }
    await tab.context().close();
}

// What gives the answer of a prediction is covered until the reader has chosen, or has asked to see it.
async function gated(page) {
    for (const [what, act] of [
        ['a choice', async question => {
            await question.locator('input').first().focus();
            await question.page().keyboard.press('Space');
        }],
        ['a choice that arrow keys made, once it is said to be one', async question => {
            await question.locator('input').first().focus();
            await question.page().keyboard.press('ArrowDown');
            if (await question.page().locator('.covered').first().isVisible()) {
                find(page, 'an arrow key on its way through the choices lifts the cover');
            }
            await question.page().keyboard.press('Tab');
            await question.page().keyboard.press('Enter');
        }],
        ['"Show me"', question => question.page().locator('.cover button').first().press('Enter')],
    ]) {
        const tab = await open(page);
        const parts = tab.locator('.covered');
        if (await parts.first().isVisible() || await tab.locator('.cover').count() !== await parts.count()) {
            find(page, 'what gives the answer of a prediction is not covered');
        }
        // The last one before it.
        const question = parts.first().locator('xpath=preceding-sibling::blockquote[.//input][1]');
        const lift = async () => {
            await act(question);
            if (!await parts.first().isVisible()) {
                find(page, `${what} does not lift the cover`);
            }
        };
        if (!await afterReload(tab, lift, () => parts.first().isVisible())) {
            find(page, `${what} is forgotten: the cover is back after a reload`);
        }
        await tab.context().close();
    }
}

// A knob chooses among recorded runs, and a toy walks through its table: by keyboard, from a disk, without a server.
async function touched(page) {
    const tab = await open(page);
    const expect = (isSo, what) => isSo || find(page, what);
    for (const figure of await tab.locator('figure[data-runs]').all()) {
        const name = await figure.getAttribute('id');
        await figure.evaluate(figure => {
            figure.closest('details, .covered')?.setAttribute('open', '');
            figure.closest('.covered')?.removeAttribute('hidden');
        });
        const svg = () => figure.locator(':scope > svg').first().innerHTML();
        const book = await svg();
        await figure.locator('.knobs > summary').focus();
        await tab.keyboard.press('Enter');
        await figure.locator('.knobs-inside table').first().waitFor();
        const text = () => figure.locator('.knobs-inside .reproduce').innerText();
        const before = await text();
        const slider = figure.locator('.knob input[type=range]').first();
        await slider.focus();
        await tab.keyboard.press((await slider.inputValue()) === (await slider.getAttribute('max')) ? 'ArrowLeft' : 'ArrowRight');
        await tab.waitForFunction(([id, was]) => document.querySelector(`#${id} .knobs-inside .reproduce`).innerText !== was, [name, before]);
        expect(tab.url().startsWith(url(page)), `${name}: an arrow key on a knob turns the page`);
        expect(await svg() !== book, `${name}: another run is drawn as the one in the book`);
        expect(await figure.locator(':scope > svg .ghost path').count() > 0, `${name}: the run in the book does not stay behind the other one`);
        const twice = await figure.locator(':scope > svg').count();
        expect(twice === 1, `${name}: ${twice} pictures instead of one`);
        const command = (await text()).replace('Reproduce: ', '');
        expect(new URL(tab.url()).search.includes(name.replace('figure-', '')), `${name}: the address does not carry the run`);
        const colleague = await tab.context().newPage();
        await colleague.goto(tab.url());
        await colleague.locator(`#${name} .knobs-inside .reproduce`).waitFor();
        const same = await colleague.locator(`#${name} .knobs-inside .reproduce`).innerText();
        expect(same.includes(command), `${name}: the address leads to another run: ${same}`);
        await colleague.close();
        await figure.getByRole('button', { name: 'As in the book' }).press('Enter');
        expect(await svg() === book, `${name}: the figure of the book does not come back`);
    }
    await alive(tab);
    for (const toy of await tab.locator('.toy').all()) {
        const name = await toy.getAttribute('id');
        const seen = () => toy.locator('.toy-said, .toy-facts').allInnerTexts().then(all => all.join());
        const first = await seen();
        const press = label => toy.getByRole('button', { name: label }).first().press('Enter');
        if (await toy.locator('.toy-order').count() > 0) {
            await press('one further in');
            const second = await seen();
            expect(second !== first, `${name}: another order changes nothing`);
            expect(await toy.locator('tr[data-order]').count() === 2, `${name}: two orders are not two rows`);
            await press('The book\'s order');
            expect(await seen() === first, `${name}: the book's order does not come back`);
            const [one, two] = await toy.locator('.toy-layer').all();
            await one.hover();
            await tab.mouse.down();
            const { x, y, height } = await two.boundingBox();
            await tab.mouse.move(x + 5, y + height, { steps: 5 });
            await tab.mouse.up();
            expect(await seen() === second, `${name}: dragging is not what the button does`);
        } else if (await toy.locator('.journey').count() > 0) {
            await press('Forward');
            await press('Forward');
            const third = await seen();
            expect(third !== first, `${name}: an event changes nothing`);
            await tab.keyboard.press('ArrowLeft');
            await tab.keyboard.press('ArrowLeft');
            expect(await seen() === first, `${name}: two steps back is not the beginning`);
            await press('Play');
            await tab.waitForFunction(([id, was]) => document.querySelector(`#${id} .toy-said`).textContent !== was, [name, await toy.locator('.toy-said').innerText()]);
            await press('Pause');
            const paused = await seen();
            await tab.evaluate(() => new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn))));
            expect(await seen() === paused, `${name}: a run that is paused goes on`);
        } else if (await toy.locator('.toy-history').count() > 0) {
            const act = toy.locator('.toy-actions').first().locator('button');
            await act.nth(1).focus();
            await tab.keyboard.press('Enter');
            await tab.keyboard.press('Enter');
            const second = await seen();
            expect(second !== first, `${name}: an action changes nothing`);
            expect(await toy.locator('.toy-history li').count() === 2, `${name}: two actions are not two lines`);
            await tab.keyboard.press('ArrowLeft');
            await tab.keyboard.press('ArrowLeft');
            expect(await seen() === first, `${name}: two steps back is not the beginning`);
            await tab.keyboard.press('ArrowRight');
            await tab.keyboard.press('ArrowRight');
            expect(await seen() === second, `${name}: forth again is not where it was`);
        } else {
            const knob = toy.locator('.knob :is(input, select)').first();
            await knob.focus();
            await tab.keyboard.press('ArrowDown');
            expect(await seen() !== first, `${name}: another number changes nothing`);
            await toy.getByRole('button', { name: 'As at first' }).press('Enter');
            expect(await seen() === first, `${name}: its first numbers do not come back`);
        }
        if (await toy.getByRole('button', { name: 'Put it on the checklist' }).count() > 0) {
            await toy.getByRole('button', { name: 'Put it on the checklist' }).press('Enter');
            const kept = await tab.evaluate(() => localStorage.getItem('blast-radius:sheets'));
            const said = await toy.locator('.toy-said').innerText();
            expect(kept?.includes(said), `${name}: what it says is not on the sheet: ${kept}`);
        }
    }
    await tab.context().close();
}

// One sheet a dependency; they can be carried away and brought back.
async function sheets(page) {
    const tab = await open(page);
    const expect = (isSo, what) => isSo || find(page, what);
    const press = name => tab.getByRole('button', { name, exact: true }).press('Enter');
    const field = label => tab.getByLabel(label, { exact: false }).locator('visible=true').first();
    const all = () => tab.evaluate(() => JSON.parse(localStorage.getItem('blast-radius:sheets')).sheets);
    await field('Service').fill('checkout');
    await field('Dependency').fill('payments');
    await field('What is retried?').fill('# no heading\n\n\\# nor this\nnothing - a: b');
    await press('New sheet');
    await field('Dependency').fill('stock');
    const before = JSON.stringify(await all());
    for (const format of ['JSON', 'Markdown']) {
        const saving = tab.waitForEvent('download');
        await press(`Save as ${format}`);
        const path = await (await saving).path();
        const name = (await saving).suggestedFilename();
        await press('Remove this sheet');
        await press('Remove this sheet');
        await tab.locator('.sheets input[type=file]').setInputFiles({ name, mimeType: 'text/plain', buffer: readFileSync(path) });
        await tab.getByText('Brought in from').waitFor();
        const told = value => JSON.stringify(value.map(sheet => Object.entries(sheet).filter(([, text]) => text).sort()));
        expect(told(await all()) === told(JSON.parse(before)), `${format} loses what was written: ${JSON.stringify(await all())}`);
    }
    await tab.locator('.sheets input[type=file]').setInputFiles({ name: 'x.json', mimeType: 'text/plain', buffer: Buffer.from('{"sheets": 7}') });
    await tab.getByText('holds no sheets').waitFor();
    expect((await all()).length === 2, 'a file without sheets changes those that are there');
    await press('Remove this sheet');
    await press('Bring it back');
    expect((await all()).some(sheet => sheet.dependency === 'stock'), 'a sheet that was removed does not come back');
    const two = async () => {
        while ((await all()).length < 2) {
            await press('New sheet');
            await field('Dependency').fill('stock');
        }
    };
    const areTwo = async () => await tab.locator('#sheet-chooser option').count() === 2;
    expect(await afterReload(tab, two, areTwo), 'the sheets are forgotten after a reload');
    await tab.context().close();
}

// A reader draws the line before the run is shown, by pointer or by keyboard, and finds it over the run.
async function sketched(page) {
    const tab = await open(page);
    const expect = (isSo, what) => isSo || find(page, what);
    for (let rest = await tab.locator('.sketch').count(); rest > 0; rest -= 1) {
        const box = tab.locator('.sketch').first();
        const figure = tab.locator(`#figure-${await box.getAttribute('data-figure')}`);
        const compare = box.getByRole('button');
        expect(await compare.isDisabled(), 'an empty sketch can be compared');
        expect(await box.locator('.plot path').count() === 0, 'the paper of a sketch has the lines of the run');
        let line = '';
        const draw = async () => {
            await box.locator('.paper').focus();
            for (const key of ['ArrowUp', 'ArrowUp', 'ArrowRight', 'ArrowRight', 'ArrowUp']) {
                await tab.keyboard.press(key);
            }
            expect(tab.url() === url(page), 'an arrow key in a sketch turns the page');
            line = await box.locator('.sketched').getAttribute('points');
            expect(new Set(line.split(' ').map(point => point.split(',')[1])).size >= 2, `two heights were drawn: ${line}`);
        };
        const isKept = async () => await box.locator('.sketched').getAttribute('points') === line;
        expect(await afterReload(tab, draw, isKept), 'a sketch is forgotten after a reload');
        await tab.locator('.sketch').first().getByRole('button').press('Enter');
        expect(await figure.locator('svg .sketched').getAttribute('points') === line, 'the sketch does not lie over the run');
        expect(await figure.isVisible(), 'comparing does not show the run');
    }
    await tab.context().close();
}

async function withoutScript(page) {
    const tab = await open(page, { javaScriptEnabled: false });
    for (const part of await tab.locator('.covered').all()) {
        if (!await part.isVisible()) {
            find(page, 'without JavaScript a part stays covered');
        }
    }
    const answers = tab.locator('details.answer');
    if (await answers.count() > 0) {
        await answers.first().locator('summary').focus();
        await tab.keyboard.press('Enter');
        if (await answers.first().getAttribute('open') === null) {
            find(page, 'without JavaScript an answer does not open');
        }
    }
    for (const toy of await tab.locator('.toy').all()) {
        if (!await toy.locator('table').isVisible()) {
            find(page, 'without JavaScript a toy has no example');
        }
    }
    if (await tab.locator('main').innerText() === '') {
        find(page, 'without JavaScript the page is empty');
    }
    await tab.context().close();
}

// What a page has is seen in its file; only that is tried.
async function look(page) {
    const html = readFileSync(join(folder, page), 'utf8');
    const has = (...marks) => marks.some(mark => html.includes(mark));
    await looked(page);
    if (page === whole) {
        return;
    }
    if (has('class="answer"', 'Predict.', 'class="sheet"')) {
        await remembered(page);
    }
    if (has('class="covered"')) {
        await gated(page);
    }
    if (has('data-runs', 'class="toy"')) {
        await touched(page);
    }
    if (has('class="sheet"')) {
        await sheets(page);
    }
    if (has('class="sketch"')) {
        await sketched(page);
    }
    await withoutScript(page);
}

// The long ones first, and a page a processor: they wait for the browser, each in a process of its own.
const rest = pages.toSorted((a, b) => statSync(join(folder, b)).size - statSync(join(folder, a)).size);
await Promise.all(Array.from({ length: availableParallelism() }, async () => {
    while (rest.length > 0) {
        await look(rest.shift());
        if (rest.length > 0 && rest.length % 20 === 0) {
            console.log(`${rest.length} pages to go`);
        }
    }
}));
await browser.close();

console.log(`${pages.length} pages, ${findings.length} findings`);
process.exitCode = findings.length > 0 ? 1 : 0;
