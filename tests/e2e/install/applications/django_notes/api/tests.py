#!/usr/bin/env python3
"""Tests of the application, without a server, by Django's own runner."""

from django.test import TestCase

from api.models import Person
from vestibule.protect.testing import fake_vestibule


class NotesTest(TestCase):
    """Each user has notes of their own."""

    def setUp(self):
        """Use a fake Vestibule."""
        self.vestibule = self.enterContext(fake_vestibule())

    def test_notes_belong_to_their_user(self):
        """Each user sees the own notes."""
        self.assertEqual(self.client.get("/api/notes").status_code, 401)
        self.vestibule.sign_in_as(self.client, "bob@example.com")
        added = self.client.post("/api/notes", {"text": "milk"})
        self.assertEqual(added.status_code, 201)
        self.assertContains(self.client.get("/notes"), "<li>milk</li>")
        self.assertEqual(self.client.get("/admin/").status_code, 302)
        self.vestibule.sign_in_as(self.client, "ada@example.com", role="admin")
        self.assertContains(self.client.get("/admin/api/note/"), "1 note")
        self.assertEqual(self.client.get("/api/notes").json(), {"notes": []})

    def test_existing_user_is_not_taken_over(self):
        """An email is no proof."""
        Person.objects.create(email="bob@example.com", is_superuser=True)
        self.vestibule.sign_in_as(self.client, "bob@example.com")
        self.assertEqual(self.client.get("/notes").status_code, 403)
