// Reads the live book in Chromium as a reader would, with the second exercise in an editor.
//
//   apt-get install --yes chromium-headless-shell npm && npm install --prefix .ci && node .ci/live-book.mjs
//
// It saves into exercises/02-circuit-breaker/src/lib.rs, which must be as it came, and puts it back.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { launch } from './browser.mjs';

const SOURCE = 'exercises/02-circuit-breaker/src/lib.rs';
const PAGE = 'circuit-breaker.html';
const STEP = 'circuit-breaker/trip.html';
// What the last play left, for `verify` and for the page: put back as it was.
const PLAYED = ['target/xtask/gameday.json', 'target/xtask/gameday.html'];
const lastPlay = PLAYED.map(file => existsSync(file) ? readFileSync(file) : null);
const starter = readFileSync(SOURCE, 'utf8');
const solution = readFileSync('solutions/02-circuit-breaker/src/lib.rs', 'utf8');
if (starter !== readFileSync('exercises/02-circuit-breaker/.starter/src/lib.rs', 'utf8')) {
    throw new Error(`${SOURCE} has been edited: this test saves into it`);
}
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

// A verify compiles, and the first run of a lab compiles more: nothing here is about time.
const PATIENCE = 300_000;
let count = 0;
const holds = (what, truth, found = '') => {
    if (!truth) {
        throw new Error(`${what}\n${found}`);
    }
    count += 1;
    console.log(`  ${what}`);
};

async function serve(port) {
    const server = spawn('cargo', ['xtask', 'book', `--port=${port}`], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
    for await (const line of server.stdout.setEncoding('utf8')) {
        const found = /http:\/\/127\.0\.0\.1:(\d+)\//.exec(line);
        if (found) {
            server.stdout.resume();
            return { server, port: Number(found[1]), url: found[0] };
        }
    }
    throw new Error('`cargo xtask book` ended before it said where the book is');
}

async function stop({ server }) {
    const ended = new Promise(done => server.once('exit', done));
    process.kill(-server.pid, 'SIGINT');
    await ended;
}

// What a client that is no browser gets.
const status = (port, path, { method = 'GET', headers = {} } = {}) => new Promise((done, failed) => {
    request({ host: '127.0.0.1', port, path, method, headers }, answer => {
        answer.resume();
        done(answer.statusCode);
    }).on('error', failed).end();
});

let live = await serve(0);
const browser = await launch();
try {
    const context = await browser.newContext({ viewport: { width: 1200, height: 900 } });
    context.setDefaultTimeout(PATIENCE);
    const tab = await context.newPage();
    const errors = [];
    tab.on('pageerror', error => errors.push(error.message));
    tab.on('request', asked => asked.url().startsWith(live.url) || errors.push(`asks for ${asked.url()}`));
    const says = (selector, text) => tab.locator(selector, { hasText: text }).first().waitFor();
    const standing = text => says('.live-bar [role=status]', text);
    const check = name => tab.locator(`li[data-check=${name}]`);
    const save = text => writeFileSync(SOURCE, text);

    console.log('Verdicts');
    await tab.goto(live.url + PAGE + '#trip');
    await tab.waitForURL(live.url + STEP);
    holds('an address of a step in the chapter leads to the page of the step', true);
    await standing('Your circuit breaker: not started');
    await check('a_success_starts_the_count_over').locator('.live-mark', { hasText: 'to do' }).waitFor();
    holds('a starter is not started, and each check is to do', true);

    save(solution);
    await standing('Your circuit breaker: 7 of 7 steps');
    await check('a_success_starts_the_count_over').locator('.live-mark', { hasText: 'passed' }).waitFor();
    await says('.sidebar .live-state', '7 of 7 steps');
    await tab.locator(`.sidebar a[href$="${STEP}"] .live-state`, { hasText: 'passed' }).waitFor();
    holds('a save turns the checks to passed, and says so in the sidebar, for the chapter and the step', true);
    holds('the mistakes of a step that passes are shown', await tab.locator('#mistakes').getAttribute('open') !== null);

    const late = solution.replace('*failures_in_a_row >= self.config.failure_threshold', '*failures_in_a_row > self.config.failure_threshold');
    holds('the solution has the line that this test breaks', late !== solution);
    save(late);
    const failed = check('it_opens_with_the_last_failure_of_the_threshold');
    await failed.locator('.live-mark', { hasText: 'failed' }).waitFor();
    const why = await failed.locator('.live-why').innerText();
    holds('a failing check shows its timeline and where it is', /failure 5/.test(why) && /tests\/steps\/step_1_trip\.rs:\d+/.test(why), why);

    save(`${solution}\nfn broken() -> u32 { "no" }\n`);
    await standing('does not compile');
    await says('.live-notes pre', 'mismatched types');
    await tab.getByLabel('Open files in').selectOption('VS Code');
    const link = await tab.locator('.live-notes pre a').first().getAttribute('href');
    holds('an error of the compiler opens the editor at its line', /^vscode:\/\/file\/.*\/exercises\/02-circuit-breaker\/src\/lib\.rs:\d+$/.test(link), link);

    console.log('Hints');
    const hints = tab.locator('details.hint');
    const visible = () => hints.locator('> summary').filter({ visible: true }).count();
    for (const level of [1, 2, 3]) {
        holds(`${level - 1} clicks show ${level - 1} hints`, await visible() === level);
        await hints.nth(level - 1).locator('> summary').click();
        await hints.nth(level - 1).locator('> p').waitFor();
    }
    holds('there is no fourth', await visible() === 3);

    console.log('Figures');
    await tab.goto(live.url + PAGE);
    save(starter);
    await standing('not started');
    const figure = tab.locator('#figure-breaker-outage');
    await tab.locator('.cover button').first().click();
    const drawn = await figure.locator(':scope > svg').innerHTML();
    await figure.locator('summary').first().focus();
    await tab.keyboard.press('Enter');
    const openFor = figure.getByLabel('How long should a breaker stay open', { exact: false }).locator('visible=true').last();
    await figure.locator('.knobs-inside table').waitFor();
    holds('code that cannot run yet is named with the step that it needs', (await figure.locator('.knobs-said').innerText()).includes('step 2'));
    const before = await figure.locator('.knobs-inside').innerText();
    await openFor.focus();
    await tab.keyboard.press('Control+A');
    await tab.keyboard.type('20');
    await tab.waitForFunction(was => document.querySelector('#figure-breaker-outage .knobs-inside').innerText !== was, before);
    await says('#figure-breaker-outage .knobs-inside p', 'open for 20 s');
    const cells = row => figure.locator('.knobs-inside tbody tr', { hasText: row }).locator('td').allInnerTexts();
    const shown = await cells('of these, in the outage');
    const printed = JSON.parse(execFileSync('cargo', ['xtask', 'lab', 'circuit-breaker', '--open-for', '20', '--json'], { stdio: ['ignore', 'pipe', 'ignore'] }));
    const own = printed.tables[0].rows.find(([first]) => first === 'of these, in the outage').slice(1);
    holds('a knob redraws the figure, and its table is what the lab prints', JSON.stringify(shown) === JSON.stringify(own), `${shown} and ${own}`);
    holds('the figure itself is another', drawn !== await figure.locator(':scope > svg').innerHTML());
    holds('the address carries the run', tab.url().includes('breaker-outage=open-for%3A20'), tab.url());
    const colleague = await context.newPage();
    await colleague.goto(tab.url());
    await colleague.locator('#figure-breaker-outage .knobs-inside p', { hasText: 'open for 20 s' }).waitFor();
    holds('a colleague who opens the address sees the same run', true);
    await colleague.close();

    await openFor.fill('0');
    await says('#figure-breaker-outage .knobs-said', 'a whole number from 1 to');
    holds('a value outside its range is refused with the range', true);
    await figure.getByRole('button', { name: 'As in the book' }).click();
    await figure.locator('.knobs-inside td').first().waitFor();
    holds('the book\'s own figure comes back, with its numbers', drawn === await figure.locator(':scope > svg').innerHTML()
        && await figure.locator('.knobs-inside th', { hasText: 'yours' }).count() === 0);

    await openFor.fill('6');
    await says('#figure-breaker-outage .knobs-inside p', 'open for 6 s');
    save(solution);
    await figure.locator('.knobs-inside th', { hasText: 'yours' }).waitFor();
    holds('a save draws the reader\'s line in a figure that is in use', (await figure.locator(':scope > svg').innerHTML()).includes('yours'));

    save(solution.replace('let permit = self.try_acquire()?;', 'let permit = self.try_acquire()?; loop { std::hint::spin_loop(); }'));
    await says('#figure-breaker-outage .knobs-said', 'longer than');
    holds('code that loops costs its figure a sentence', true);
    // Two requests may arrive in either order.
    const both = await tab.evaluate(async () => {
        const run = { lab: 'circuit-breaker', figure: 'twice', scene: 'outage', knobs: {} };
        const said = () => window.blastRadius.live.run(run).then(() => 'it ran', error => error.message);
        return Promise.all([said(), said()]);
    });
    holds('a newer run of a figure ends the older one', both.filter(told => told.includes('a newer run')).length === 1, both);
    save(starter);
    await standing('not started');

    console.log('Toys');
    for (const [address, toy, act] of [
        [PAGE, 'breaker', async box => {
            for (let time = 0; time < 12; time += 1) {
                await box.getByRole('button', { name: time % 2 === 0 ? 'A call fails' : '+5 s', exact: true }).click();
                await box.locator('.toy-history li').nth(time).waitFor();
            }
        }],
        ['bulkhead/size.html', 'places', async box => {
            await box.getByLabel('How long does a call take, on average?').last().fill('37');
            await box.locator('.toy-said', { hasText: 'of 37 ms each' }).waitFor();
        }],
        ['composing/orders.html', 'order', async box => {
            for (const way of ['fallback: one further in', 'timeout: one further out']) {
                await box.getByRole('button', { name: way }).click();
            }
            await box.locator('.toy-facts dd', { hasText: /^[\d,]+$/ }).first().waitFor();
            await box.locator('tbody th', { hasText: 'deadline › fallback › retry › breaker › timeout › bulkhead' }).waitFor();
        }],
        ['deadline/audit.html', 'chain', async box => {
            await box.getByLabel('How long does the user wait?').last().fill('37');
            await box.locator('dd', { hasText: '37 s' }).waitFor();
        }],
    ]) {
        const page = await context.newPage();
        const asked = page.waitForRequest(request => new URL(request.url()).pathname.endsWith('/play'));
        await page.goto(live.url + address);
        await page.locator(`#toy-${toy}`).scrollIntoViewIfNeeded();
        await page.locator(`#toy-${toy}[role=group]`).waitFor();
        await act(page.locator(`#toy-${toy}`));
        await asked;
        holds(`the toy ${toy} asks the reference where its recorded table ends`, true);
        await page.close();
    }

    console.log('Looks');
    for (const theme of ['light', 'navy']) {
        const page = await context.newPage();
        await page.addInitScript(theme => localStorage.setItem('mdbook-theme', theme), theme);
        for (const [address, shown] of [[PAGE, '#figure-breaker-outage .knobs-inside table'], [STEP, '.live-mark']]) {
            await page.goto(live.url + address);
            await page.evaluate(() => document.querySelectorAll('details').forEach(fold => { fold.open = true; }));
            await page.locator(shown).first().waitFor();
            await page.evaluate(axe);
            const { violations } = await page.evaluate(() => window.axe.run({ include: ['main'] }, { resultTypes: ['violations'], rules: { 'empty-table-header': { enabled: false } } }));
            holds(`${theme}: axe finds nothing on ${address}`, violations.length === 0, violations.map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 200)}`).join('\n'));
        }
        await page.close();
    }
    await tab.setViewportSize({ width: 390, height: 800 });
    const wide = await tab.evaluate(() => document.documentElement.scrollWidth);
    holds('nothing is wider than a phone', wide <= 390, `${wide} px`);

    console.log('The last play');
    for (const file of PLAYED) {
        rmSync(file, { force: true });
    }
    const report = await context.newPage();
    report.on('pageerror', error => errors.push(error.message));
    await report.goto(`${live.url}gameday/report.html`);
    await report.locator('#last-play', { hasText: 'Nothing is shown here yet' }).waitFor();
    holds('without a play the page says how to have one', true);
    // A service that ends at once: the shortest play there is.
    const harness = ['run', '--quiet', '--package=gameday-harness', '--', '--service=exit 1', `--record=${PLAYED[0]}`, 'kill'];
    const played = spawnSync('cargo', harness, { encoding: 'utf8' });
    holds('the harness plays, and it did not hold', played.status === 1, played.stderr);
    await report.locator('#last-play td.inconclusive').first().waitFor();
    holds('a play that ends is on the page, which was open all the time', true);
    await report.locator('#last-play', { hasText: 'the service is not ready after 10 s' }).waitFor();
    await report.setViewportSize({ width: 390, height: 800 });
    const spread = await report.evaluate(() => document.documentElement.scrollWidth);
    holds('and it is no wider than a phone', spread <= 390, `${spread} px`);
    await report.evaluate(axe);
    const { violations: flaws } = await report.evaluate(() => window.axe.run({ include: ['main'] }, { resultTypes: ['violations'], rules: { 'empty-table-header': { enabled: false } } }));
    holds('axe finds nothing in it', flaws.length === 0, flaws.map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 200)}`).join('\n'));
    await report.close();

    console.log('Doors');
    holds('a foreign Host is refused', await status(live.port, '/', { headers: { host: 'evil.example' } }) === 403);
    holds('a foreign Origin is refused', await status(live.port, '/__live/session', { headers: { origin: 'http://evil.example' } }) === 403);
    holds('work without the token is refused', await status(live.port, '/__live/run', { method: 'POST' }) === 403);
    holds('no path leads out of the book', await status(live.port, '/../../Cargo.toml') === 404);

    console.log('A server that is started again');
    await stop(live);
    await standing('the server is gone');
    live = await serve(live.port);
    await standing('not started');
    holds('the page goes on by itself', true);
    holds('no script error, and nothing was asked for elsewhere', errors.length === 0, errors.join('\n'));
    console.log(`${count} passed, 0 failed`);
} finally {
    writeFileSync(SOURCE, starter);
    PLAYED.forEach((file, number) => lastPlay[number] ? writeFileSync(file, lastPlay[number]) : rmSync(file, { force: true }));
    await browser.close();
    await stop(live);
}
