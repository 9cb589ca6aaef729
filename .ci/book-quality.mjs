// Looks at every page of the built book in Chromium, and fails with page, rule and element.
//
//   apt-get install --yes chromium npm hunspell hunspell-en-gb && npm install --prefix .ci
//   cargo xtask book --static && node .ci/book-quality.mjs [FOLDER OF PAGES] [PAGE…]
//
// In light and in dark: axe-core (contrast, names, alternatives, order of headings). At the width of a
// phone: nothing scrolls sideways. On paper: nothing is cut off. Every word is British English or stands in words.txt. And what the book's
// script adds works by keyboard, is remembered, and is missed by nobody who has no JavaScript.
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';

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

// How many elements are shown for each rule that a page breaks.
const SHOWN = 3;
const findings = [];
const find = (page, what) => findings.push(`${page}: ${what}`);
const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    // Nothing but the pages is to be asked for: no updates, no synchronisation.
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

async function open(page, { theme = 'light', width = 1200, javaScriptEnabled = true } = {}) {
    const context = await browser.newContext({ viewport: { width, height: 900 }, javaScriptEnabled });
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

async function accessible(page, theme) {
    const tab = await open(page, { theme });
    // What is folded is looked at, too.
    await tab.evaluate(() => document.querySelectorAll('details').forEach(fold => { fold.open = true; }));
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
    await tab.context().close();
}

const names = new Set(readFileSync(new URL('words.txt', import.meta.url), 'utf8').split('\n'));

async function spelled(page) {
    const tab = await open(page);
    const prose = await tab.evaluate(() => {
        const main = document.querySelector('main').cloneNode(true);
        main.querySelectorAll('code, pre').forEach(code => code.replaceWith(' '));
        // What two elements hold are two words: cells of a table, say.
        main.querySelectorAll('*').forEach(element => element.append(' '));
        return main.textContent.replaceAll('’', "'").replace(/'s\b/g, '');
    });
    await tab.context().close();
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

async function narrow(page) {
    const tab = await open(page, { width: 360 });
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
    await tab.context().close();
}

// A sheet of A4, less its margins. Paper doesn't scroll: what is wider is lost.
async function printed(page) {
    const tab = await open(page, { width: 717 });
    await tab.emulateMedia({ media: 'print' });
    for (const part of await tab.locator('.covered').all()) {
        if (await part.evaluate(part => part.checkVisibility({ contentVisibilityAuto: true }) && part.firstElementChild.getBoundingClientRect().height) === 0) {
            find(page, 'a part stays covered on paper');
        }
    }
    const cut = await tab.evaluate(() => [...document.querySelectorAll('main :is(table, pre, svg)')]
        .filter(element => element.getBoundingClientRect().right > innerWidth + 1)
        .map(element => element.textContent.trim().slice(0, 80)));
    for (const element of cut.slice(0, SHOWN)) {
        find(page, `is wider than paper: ${element}`);
    }
    await tab.context().close();
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
    const predictions = await tab.locator('main blockquote:has(li)', { hasText: 'Predict.' }).count();
    const groups = await tab.locator('.choices').count();
    expect(groups === predictions, `${predictions} predictions, but ${groups} with choices: list them as \`> - (a) …\``);
    if (groups > 0) {
        const choose = async () => {
            await choices.first().focus();
            await tab.keyboard.press('Space');
            await tab.keyboard.press('ArrowRight');
            expect(tab.url() === url(page), 'an arrow key in a prediction turns the page');
        };
        expect(await afterReload(tab, choose, () => choices.nth(1).isChecked()), 'a prediction is forgotten after a reload');
        const told = await tab.locator('main blockquote:has(.choices) [role=status]').allInnerTexts();
        expect(told.length === groups, `${groups} predictions, but ${told.length} with an answer: begin the answer below as "(b) …"`);
        expect(/^\(b\) is right\.$|^You chose \(b\); the run says \([a-z]\)\.$/.test(told[0]), `a prediction is answered: "${told[0]}"`);
    }
    await gated(page);
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
        if (await parts.count() > 0) {
            if (await parts.first().isVisible() || await tab.locator('.cover').count() !== await parts.count()) {
                find(page, 'what gives the answer of a prediction is not covered');
            }
            const question = tab.locator('main blockquote:has(.choices):has(~ .covered)').first();
            await act(question);
            if (!await parts.first().isVisible()) {
                find(page, `${what} does not lift the cover`);
            }
            await tab.waitForTimeout(500);
            await tab.reload();
            if (!await parts.first().isVisible()) {
                find(page, `${what} is forgotten: the cover is back after a reload`);
            }
        }
        await tab.context().close();
    }
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
    if (await tab.locator('main').innerText() === '') {
        find(page, 'without JavaScript the page is empty');
    }
    await tab.context().close();
}

for (const page of pages) {
    for (const theme of ['light', 'navy']) {
        await accessible(page, theme);
    }
    await narrow(page);
    await printed(page);
    // print.html repeats the chapters.
    if (page !== 'print.html') {
        await spelled(page);
        await remembered(page);
        await withoutScript(page);
    }
}
await browser.close();

for (const finding of findings) {
    console.log(finding);
}
console.log(`${pages.length} pages, ${findings.length} findings`);
process.exitCode = findings.length > 0 ? 1 : 0;
