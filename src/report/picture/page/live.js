// Puts in what became another while the page is open; in the end the page becomes the report.
(() => {
'use strict';
const doc = document, root = doc.documentElement, query = location.search;
const live = new EventSource('live' + query);
if (/[?&]token=/.test(query)) root.classList.add('may-stop');

const element = html => {
	const template = doc.createElement('template');
	template.innerHTML = html;
	return template.content.firstElementChild;
};
// What the reader has opened stays open.
const keep = (old, next) => {
	const was = old.querySelectorAll('details');
	next.querySelectorAll('details').forEach((details, i) => details.open = was[i]?.open || false);
	const seen = old.querySelectorAll('.plot, .scroll');
	return () => next.querySelectorAll('.plot, .scroll').forEach((box, i) => box.scrollLeft = seen[i]?.scrollLeft || 0);
};
// Charts that are zoomed, or being dragged over, stand still, and so do those that belong to them.
let held = false, pointer;
const still = () => held || doc.querySelector('svg.zoomed');
doc.addEventListener('pointerdown', event => { held = !!event.target.closest?.('svg[data-x]'); });
for (const name of ['pointerup', 'pointercancel']) doc.addEventListener(name, () => { held = false; });
doc.addEventListener('pointermove', event => { pointer = event; });
// The crosshair is put into the new charts too.
const point = () => {
	if (!doc.querySelector('.tip')?.textContent || !pointer) return;
	const { clientX, clientY } = pointer;
	doc.elementFromPoint(clientX, clientY)?.dispatchEvent(new PointerEvent('pointermove', { clientX, clientY, bubbles: true }));
};

live.addEventListener('parts', event => {
	const { order, changed } = JSON.parse(event.data), focus = doc.activeElement?.closest('[id]')?.id;
	root.classList.remove('gone');
	let before;
	for (const id of order) {
		let old = doc.getElementById(id);
		if (changed[id] && !(still() && (id == 'readings' || old?.querySelector('svg[data-x]')))) {
			const next = element(changed[id]);
			if (old) {
				const scrolled = keep(old, next);
				old.replaceWith(next);
				scrolled();
			} else if (before) before.after(next);
			else doc.querySelector('main').prepend(next);
			old = next;
		}
		if (old?.parentElement?.tagName == 'MAIN') before = old;
	}
	for (const part of [...doc.querySelector('main').children]) if (!order.includes(part.id)) part.remove();
	point();
	if (focus && doc.activeElement == doc.body) doc.getElementById(focus)?.focus({ preventScroll: true });
});
live.addEventListener('end', event => {
	live.close();
	const { scrollX, scrollY } = window;
	doc.open();
	doc.write(JSON.parse(event.data));
	doc.close();
	scrollTo(scrollX, scrollY);
});
live.addEventListener('error', () => root.classList.add('gone'));
doc.addEventListener('click', event => {
	if (event.target.closest?.('[data-stop]') && confirm('End the run now? Its report will be written.')) fetch('stop' + query, { method: 'POST' });
});
})();
