// Chromium for the tests of the book. Debian's headless shell does the same for a third of the processor's time.
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const SHELL = '/usr/bin/chromium-headless-shell';

// `CHROMIUM` names another browser.
export const launch = () => chromium.launch({
    executablePath: process.env.CHROMIUM ?? (existsSync(SHELL) ? SHELL : '/usr/bin/chromium'),
    // Nothing but the pages is to be asked for: no updates, no synchronisation.
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
