"""Appointments, meetings and tasks: time zones, recurrence, occurrences, meeting notices, iCalendar, availability.

`zone_rules`, `zones`, `recurrence` and `ical` are pure: values in, values out. The others know a call and its store.
"""
